"""Fully connected layers on Helium without blocks of zeros: four outputs by 16 inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from microwright.graph import Array
from microwright.kernels import channels_mve, fully_connected_mve, sparse
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step
from microwright.ops.quantized import Multiplier

_OUTPUTS = fully_connected_mve.GROUP
# Inputs of a block, blocks of a round.
_INPUTS, _ROUND = 16, 4
# Blocks from one that is stored to the next: what a byte can say of their inputs' bytes.
_MOST_STEP = 255 // _INPUTS
_BLOCK_CODE_BYTES = 40
# Share of the blocks from which on the dense kernel is as good, and takes fewer constants.
_MOST_STORED = 7 / 8


def _repack(step: Step) -> Step:
    weights = step.values("weights")
    assert weights is not None
    in_len, out_len = step.number("in_len"), step.number("out_len")
    rows = weights.astype(np.int64).reshape(out_len, in_len)
    by = Multiplier(0, 0)
    if step.number("per_channel"):
        channels = channels_mve.of(step, rows)
        rows = np.stack([channel.weights for channel in channels])
        outputs = _outputs([(c.bias, c.mult, -c.exponent) for c in channels])
    else:
        by, biases = fully_connected_mve.alike(step, rows)
        outputs = np.pad(biases, (0, -out_len % _OUTPUTS)).view(np.uint32)
    fours = _fours(rows.astype(np.int8))
    stored = _stored(fours)
    if stored.mean() > _MOST_STORED:
        raise Rejected("too few of its blocks of 4 outputs by 16 inputs are zero")
    return Step(
        "fully_connected_s8_sparse_mve",
        step.inputs,
        step.outputs,
        {
            **{name: step.number(name) for name in ("batches", "in_len", "out_len", "out_zp")},
            **{name: step.number(name) for name in ("act_min", "act_max", "per_channel")},
            "mult": by.mult,
            "shift": by.shift,
            "weights": Constant(fours.transpose(0, 2, 1, 3)[stored].reshape(-1)),
            "steps": Constant(np.concatenate([*map(_steps, stored), [0]]).astype(np.uint32)),
            "outputs": Constant(outputs),
        },
        scratch_bytes=fully_connected_mve.line_bytes(step),
        overlap=fully_connected_mve.overlap(step),
    )


def _outputs(channels: Sequence[tuple[int, int, int]]) -> npt.NDArray[np.uint32]:
    """Bias, multiplier and shift of each output as the words of each four."""
    table = np.array([*channels, *[(0, 0, 0)] * (-len(channels) % _OUTPUTS)], np.int64)
    fours = table.reshape(-1, _OUTPUTS, 3)
    words = fours[..., :2].transpose(0, 2, 1).reshape(len(fours), -1).astype("<i4").view("<u4")
    shifts = fours[..., 2].astype(np.int8).view("<u4")
    return np.concatenate([words, shifts], axis=1).reshape(-1)


def _fours(rows: Array) -> Array:
    """Weights [output, input] filled up to whole blocks, [fours, output, block, input]."""
    padded = np.pad(rows, ((0, -len(rows) % _OUTPUTS), (0, -rows.shape[1] % _INPUTS)))
    return padded.reshape(-1, _OUTPUTS, padded.shape[1] // _INPUTS, _INPUTS)


def _stored(fours: Array) -> sparse.Mask:
    """Blocks to store [fours, block], at least one of each four."""
    kept = (fours != 0).any(axis=(1, 3))
    kept[:, 0] |= ~kept.any(axis=1)
    return sparse.reachable(kept, _MOST_STEP)


def _steps(stored: sparse.Mask) -> npt.NDArray[np.int64]:
    """The words of four outputs, as include/mw/fully_connected_s8_sparse_mve.h says."""
    steps = _INPUTS * sparse.steps(stored)
    less = -len(steps) % _ROUND
    rounds = np.pad(steps, (less, 0)).reshape(-1, _ROUND)
    header = len(rounds) << 16 | _BLOCK_CODE_BYTES * less
    return np.concatenate([[header], rounds @ (1 << 8 * np.arange(_ROUND))])


def _cost(step: Step) -> float:
    """Counted in the assembly: 10 a block, 2 a round, 20 around four outputs."""
    weights = step.values("weights")
    assert weights is not None
    blocks = _stored(_fours(weights.reshape(-1, step.number("in_len")))).sum(axis=1)
    rounds = -(-blocks // _ROUND)
    return step.number("batches") * float((10 * blocks + 2 * rounds + 20).sum() + 170)


FULLY_CONNECTED = Kernel("fully_connected_s8_sparse_mve", frozenset({"mve"}), _repack, _cost)
