"""Convolutions on any core: a matrix product that computes four pixels by three multiplications."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microwright.kernels import convolution, gemm_portable
from microwright.kernels.base import Kernel
from microwright.ops import Step
from microwright.ops.base import Field

_COLUMN_BYTES = 12
# On a 64-bit host; half of it is used elsewhere.
_POINTER_BYTES = 8


def _product(step: Step) -> Mapping[str, Field]:
    """The fields of the matrix product."""
    weights = step.values("weights")
    assert weights is not None
    by_channel = weights.astype(np.int64).reshape(step.number("out_ch"), -1)
    return gemm_portable.pack(step, by_channel, axis=0)


def _scratch_bytes(step: Step) -> int:
    return gemm_portable.CHANNEL_BYTES * step.number("out_ch") + _COLUMN_BYTES * convolution.k(step)


def _product_cost(step: Step) -> float:
    """Of the tiles and their columns, on a core that multiplies and adds in one instruction.

    Counted in the assembly: 9.25 instructions a k and two channels at four pixels, and 136 around them; 10 a
    k to gather, and about 70 a tile.
    """
    pixels, k, groups = (
        step.number("out_h") * step.number("out_w"),
        convolution.k(step),
        step.number("groups"),
    )
    pairs = (step.number("out_ch") + 1) // 2
    return pixels / 4 * (pairs * (9.25 * k + 136) + groups * (10 * k + 70))


def _conv(step: Step) -> Step:
    runs = step.number("filter_h") * convolution.runs_w(step)
    row_bytes, ring_rows = convolution.row_bytes(step), convolution.span(step, "h")
    return Step(
        "conv_2d_s8_portable",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w", "in_ch", "out_h", "out_w", "out_ch"),
            **convolution.numbers(step, "groups", "filter_h", "filter_w", "stride_h", "stride_w"),
            **convolution.numbers(step, "dilation_h", "dilation_w", "pad_top", "pad_left"),
            **convolution.numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
            "runs_w": convolution.runs_w(step),
            "row_bytes": row_bytes,
            **_product(step),
        },
        scratch_bytes=_scratch_bytes(step) + runs * _POINTER_BYTES + ring_rows * row_bytes,
        overlap={0: convolution.rows_distance(step)},
    )


def _conv_1x1(step: Step) -> Step:
    convolution.require_1x1(step)
    return Step(
        "conv_1x1_s8_portable",
        step.inputs,
        step.outputs,
        {
            **convolution.pixels(step),
            **convolution.numbers(step, "out_zp", "act_min", "act_max"),
            **_product(step),
        },
        scratch_bytes=_scratch_bytes(step),
        overlap={0: convolution.pixels_distance(step)},
    )


CONV = Kernel(
    "conv_2d_s8_portable",
    frozenset(),
    _conv,
    lambda step: _product_cost(step) + 2.0 * step.number("in_h") * step.number("in_w") * step.number("in_ch"),
)
CONV_1X1 = Kernel("conv_1x1_s8_portable", frozenset(), _conv_1x1, _product_cost)
