"""Fully connected layers on cores with the DSP extension without blocks of zeros: four outputs by four k."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from microwright.kernels import fully_connected, gemm_dsp, sparse
from microwright.kernels.base import Kernel, Rejected
from microwright.kernels.gemm_dsp import Ints
from microwright.ops import Constant, Step

# Outputs and inputs of a block, blocks of a round.
_OUTPUTS, _INPUTS, _ROUND = 4, 4, 4
# Bytes of a block of inputs in RAM, blocks from one that is stored to the next: what a byte can say.
_INPUT_BYTES = 8
_MOST_STEP = 255 // _INPUT_BYTES
# Bytes of code of a block, by which a shorter first round is entered.
_CODE_BYTES = 60
_SEVERAL, _SAME = 1 << 31, 1 << 30


def _repack(step: Step) -> Step:
    batches, in_len, out_len = (step.number(name) for name in ("batches", "in_len", "out_len"))
    weights = step.values("weights")
    assert weights is not None
    rows = weights.astype(np.int64).reshape(out_len, in_len)
    channels = [gemm_dsp.channel_of(step, index, row) for index, row in enumerate(rows)]
    order = gemm_dsp.k_order(1, in_len).reshape(-1)
    blocks = len(order) // _INPUTS
    kept = np.zeros((-(-out_len // _OUTPUTS) * _OUTPUTS, in_len + 1), np.int64)
    kept[:out_len, :in_len] = [channel.weights for channel in channels]
    fours = kept[:, order].reshape(-1, _OUTPUTS, blocks, _INPUTS)
    return Step(
        "fully_connected_s8_sparse_dsp",
        step.inputs,
        step.outputs,
        {
            "batches": batches,
            "in_len": in_len,
            "out_len": out_len,
            "blocks": blocks,
            "weights": Constant(_pack(fours, [channel.bias for channel in channels])),
            "channels": Constant(sparse.channel_words(channels, _OUTPUTS)),
            **{name: step.number(name) for name in ("out_zp", "act_min", "act_max")},
        },
        scratch_bytes=_INPUT_BYTES * blocks,
        overlap={0: fully_connected.distance(batches, in_len, out_len)},
    )


def _pack(fours: Ints, biases: Sequence[int]) -> npt.NDArray[np.uint32]:
    """Weights [fours, output, block, input] as include/mw/fully_connected_s8_sparse_dsp.h says."""
    first, second = fours[:, ::2], fours[:, 1::2]
    if np.any((second == -128) & (first < 0)):
        raise Rejected("a weight of -128 beside a negative one")
    both = (first + 256 * second) & 0xFFFF
    # [fours, block, pair of inputs, pair of channels]
    words = (both[..., ::2] | both[..., 1::2] << 16).transpose(0, 2, 3, 1)
    bounds = 128 * np.abs(second).sum(axis=3).transpose(0, 2, 1)
    start = np.abs(np.pad(np.array(biases), (0, -len(biases) % _OUTPUTS))).reshape(-1, _OUTPUTS)[:, 1::2]
    packed, flags = [], 0
    for index, stored in enumerate(_stored(fours != 0)):
        runs = _runs(words[index], bounds[index], start[index], stored)
        for run in runs:
            run[0] |= flags
            flags = _SEVERAL | _SAME
        flags = _SEVERAL if len(runs) > 1 else 0
        packed += runs
        if index == len(fours) - 1 or (index == len(biases) // _OUTPUTS - 1):
            packed.append(np.array([flags]))
            flags = 0
    return np.concatenate(packed).astype(np.uint32)


def _stored(fours: sparse.Mask) -> sparse.Mask:
    """Blocks to store of weights that are not zero [fours, output, block, input]."""
    return sparse.reachable(fours.max(axis=(1, 3)), _MOST_STEP)


def _runs(words: Ints, bounds: Ints, start: Ints, stored: sparse.Mask) -> list[Ints]:
    """The runs of four channels; `words` by block, `bounds` of both second channels' sums by block."""
    taken = _INPUT_BYTES * sparse.steps(stored)
    taken[:1] -= _INPUT_BYTES
    runs = []
    for first, end in _limits(bounds[stored], start):
        less = -(end - first) % _ROUND if end > first else _ROUND
        rounds = []
        for at in range(first - less, max(end, first - less + 1), _ROUND):
            bytes_ = sum(int(taken[i]) << 8 * (i - at) for i in range(max(at, first), min(at + _ROUND, end)))
            rounds += [np.array([bytes_]), words[stored][max(at, first) : at + _ROUND].reshape(-1)]
        run = np.concatenate(rounds)
        runs.append(np.concatenate([[(4 * len(run) + 4) << 8 | _CODE_BYTES * less], run]))
    return runs


def _limits(bounds: Ints, start: Ints) -> Iterator[tuple[int, int]]:
    """From which block to which each run goes, at least one; `start` are bounds of what the first adds to."""
    first, total = 0, start
    for block, bound in enumerate(bounds):
        if (total + bound).max() >= 1 << 23:
            yield first, block
            first, total = block, np.zeros_like(start)
        total = total + bound
    yield first, len(bounds)


def _cost(step: Step) -> float:
    """Counted in the assembly: 15 a block, 3 a round, 47 around four outputs; 1.5 an input to expand.

    Where nothing is zero, the layer is the dense kernel's.
    """
    weights = step.values("weights")
    assert weights is not None
    in_len, out_len = step.number("in_len"), step.number("out_len")
    order = gemm_dsp.k_order(1, in_len).reshape(-1)
    kept = np.pad(weights.reshape(out_len, in_len) != 0, ((0, -out_len % _OUTPUTS), (0, 1)))[:, order]
    stored = _stored(kept.reshape(-1, _OUTPUTS, len(order) // _INPUTS, _INPUTS))
    if stored.all():
        return math.inf
    rounds = (-(-stored.sum(axis=1) // _ROUND)).sum()
    fours = 15 * int(stored.sum()) + 3 * int(rounds) + 47 * len(stored)
    return float(60 + step.number("batches") * (fours + 1.5 * in_len))


FULLY_CONNECTED = Kernel("fully_connected_s8_sparse_dsp", frozenset({"dsp"}), _repack, _cost)
