"""Convolutions on cores with the DSP extension: a matrix product of packed weights and columns of inputs."""

from __future__ import annotations

import numpy as np

from microwright.kernels import convolution, gemm_dsp
from microwright.kernels.base import Kernel
from microwright.ops import Step
from microwright.ops.base import Field

_COLUMN_PIXELS = 3
_POINTER_BYTES = 4


def _product(step: Step, pairs: gemm_dsp.Ints) -> dict[str, Field]:
    """The fields of the matrix product; `pairs` is the order of k."""
    weights = step.values("weights")
    assert weights is not None
    by_channel = weights.astype(np.int64).reshape(step.number("out_ch"), -1)
    return {
        "k_pairs": len(pairs),
        "tiles": gemm_dsp.tiles(step),
        **gemm_dsp.pack(step, by_channel, pairs),
    }


def _scratch_bytes(step: Step, pairs: gemm_dsp.Ints) -> int:
    channel_pairs = (step.number("out_ch") + 1) // 2
    return gemm_dsp.PAIR_BYTES * channel_pairs + 4 * _COLUMN_PIXELS * len(pairs)


def _product_cost(step: Step, k_pairs: int) -> float:
    """Of the tiles and their columns.

    Counted in the assembly: 8.5 instructions a pair of k and of channels at three pixels and 66 around them;
    10 a pair of k to gather.
    """
    pixels = step.number("out_h") * step.number("out_w")
    channel_pairs = (step.number("out_ch") + 1) // 2
    return pixels / 3 * (channel_pairs * (8.5 * k_pairs + 66) + 10 * k_pairs)


def _conv(step: Step) -> Step:
    convolution.require(step, {"groups": 1, "batches": 1})
    in_ch, filter_h, filter_w = (step.number(name) for name in ("in_ch", "filter_h", "filter_w"))
    # A row of taps is one run of bytes, or one a tap where they are apart.
    runs_w = 1 if step.number("dilation_w") == 1 else filter_w
    runs = filter_h * runs_w
    pairs = gemm_dsp.k_order(runs, filter_w // runs_w * in_ch)
    row_bytes, ring_rows = convolution.row_bytes(step), convolution.span(step, "h")
    return Step(
        "conv_2d_s8_dsp",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w", "in_ch", "out_h", "out_w", "out_ch"),
            **convolution.numbers(step, "filter_h", "filter_w", "stride_h", "stride_w"),
            **convolution.numbers(step, "dilation_h", "dilation_w", "pad_top", "pad_left"),
            **convolution.numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
            "runs_w": runs_w,
            "row_bytes": row_bytes,
            **_product(step, pairs),
        },
        scratch_bytes=_scratch_bytes(step, pairs) + runs * _POINTER_BYTES + ring_rows * row_bytes,
        overlap={0: convolution.rows_distance(step)},
    )


def _conv_1x1(step: Step) -> Step:
    convolution.require(step, {"groups": 1, "batches": 1})
    convolution.require_1x1(step)
    pairs = gemm_dsp.k_order(1, step.number("in_ch"))
    return Step(
        "conv_1x1_s8_dsp",
        step.inputs,
        step.outputs,
        {
            **convolution.pixels(step),
            **convolution.numbers(step, "out_zp", "act_min", "act_max"),
            **_product(step, pairs),
        },
        scratch_bytes=_scratch_bytes(step, pairs),
        overlap={0: convolution.pixels_distance(step)},
    )


CONV = Kernel(
    "conv_2d_s8_dsp",
    frozenset({"dsp"}),
    _conv,
    lambda step: (
        _product_cost(step, step.number("filter_h") * step.number("filter_w") * step.number("in_ch") // 2)
        + 2.0 * step.number("in_h") * step.number("in_w") * step.number("in_ch")
    ),
)
CONV_1X1 = Kernel(
    "conv_1x1_s8_dsp",
    frozenset({"dsp"}),
    _conv_1x1,
    lambda step: _product_cost(step, step.number("in_ch") // 2),
)
