"""Convolutions on cores with the DSP extension that skip blocks of zeros: two output channels by four k."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from microwright.kernels import conv_dsp, convolution, gemm_dsp, sparse
from microwright.kernels.base import Kernel
from microwright.ops import Constant, Step

# Blocks from one that is stored to the next: what a byte can say.
_MOST_STEP = 255
# Pairs of k in a block.
_K_PAIRS = 2


def _repack(dense: Kernel, name: str, step: Step) -> Step:
    convolution.require(step, {"groups": 1})
    made = dense.repack(step)
    return replace(
        made,
        kernel=name,
        fields={
            f"conv.{field}": value
            for field, value in {
                **made.fields,
                "weights": Constant(_pack(made)),
                "tiles": gemm_dsp.tiles(step, "mw_gemm_sparse_dsp"),
            }.items()
        },
    )


def _pack(dense: Step) -> npt.NDArray[np.uint32]:
    """The dense kernel's weights without the blocks that are zero, as include/mw/gemm_sparse_dsp.h says."""
    words = dense.values("weights")
    assert words is not None
    # A word is zero only where all of its weights are.
    blocks = words.reshape(-1, dense.number("k_pairs") // _K_PAIRS, _K_PAIRS)
    stored = sparse.reachable(blocks.max(axis=2) > 0, _MOST_STEP)
    values = blocks[stored].reshape(-1)
    taken = b"".join(bytes(row.tolist()) + b"\0" for row in map(sparse.steps, stored))
    taken += bytes(-len(taken) % 4)
    return np.concatenate([[values.nbytes], values, np.frombuffer(taken, "<u4")]).astype(np.uint32)


def _blocks(step: Step) -> int:
    """Blocks that are stored of a plain call's weights, its channels paired as they come."""
    weights = step.values("weights")
    assert weights is not None
    if step.number("groups") > 1:
        return 0  # no kernel here takes it
    out_ch = step.number("out_ch")
    by_channel = np.pad(weights.reshape(out_ch, -1) != 0, ((0, out_ch % 2), (0, 1)))
    kept = by_channel[:, conv_dsp.order(step)].reshape(len(by_channel) // 2, 2, -1, 2 * _K_PAIRS)
    return int(sparse.reachable(kept.max(axis=(1, 3)), _MOST_STEP).sum())


CONV = Kernel(
    "conv_2d_s8_sparse_dsp",
    frozenset({"dsp"}),
    lambda step: _repack(conv_dsp.CONV, "conv_2d_s8_sparse_dsp", step),
    lambda step: conv_dsp.cost(step, 21.0 * _blocks(step)),
)
CONV_1X1 = Kernel(
    "conv_1x1_s8_sparse_dsp",
    frozenset({"dsp"}),
    lambda step: _repack(conv_dsp.CONV_1X1, "conv_1x1_s8_sparse_dsp", step),
    lambda step: conv_dsp.cost(step, 21.0 * _blocks(step)),
)
