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
        **gemm_dsp.pack(step, by_channel, pairs, step.number("groups")),
    }


def _scratch_bytes(step: Step, pairs: gemm_dsp.Ints) -> int:
    return gemm_dsp.PAIR_BYTES * _channel_pairs(step) + 4 * _COLUMN_PIXELS * len(pairs)


def order(step: Step) -> gemm_dsp.Ints:
    """The order of k, by runs of bytes."""
    runs = step.number("filter_h") * convolution.runs_w(step)
    return gemm_dsp.k_order(runs, convolution.k(step) // runs)


def cost(step: Step, loops: float) -> float:
    """Estimated instructions, given those of a tile's loops over all pairs of channels, at three pixels.

    Counted in the assembly: 60 around the loop of a pair of channels; 10 a pair of k to gather; 2 a byte to
    copy where windows overlap.
    """
    pixels = step.number("out_h") * step.number("out_w")
    groups, taps = step.number("groups"), step.number("filter_h") * step.number("filter_w")
    k_pairs = groups * convolution.k(step) // 2
    copied = step.number("in_h") * step.number("in_w") * step.number("in_ch") if taps * groups > 1 else 0
    return pixels / 3 * (60 * _channel_pairs(step) + loops + 10 * k_pairs) + 2.0 * copied


def _channel_count(step: Step) -> int:
    """Output channels, and an odd last one of a group twice where there are several groups."""
    groups, out_ch = step.number("groups"), step.number("out_ch")
    return out_ch + (groups if groups > 1 and out_ch // groups % 2 else 0)


def _channel_pairs(step: Step) -> int:
    return (_channel_count(step) + 1) // 2


def _dense_cost(step: Step) -> float:
    """8.5 instructions a pair of k and of channels, 3 a round of eight pairs of k."""
    return cost(step, _channel_pairs(step) * 8.9 * (convolution.k(step) / 2))


def _conv(step: Step) -> Step:
    runs = step.number("filter_h") * convolution.runs_w(step)
    pairs = order(step)
    row_bytes, ring_rows = convolution.row_bytes(step), convolution.span(step, "h")
    return Step(
        "conv_2d_s8_dsp",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w", "in_ch", "out_h", "out_w", "out_ch"),
            **convolution.numbers(step, "groups", "filter_h", "filter_w", "stride_h", "stride_w"),
            **convolution.numbers(step, "dilation_h", "dilation_w", "pad_top", "pad_left"),
            **convolution.numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
            "channel_count": _channel_count(step),
            "runs_w": convolution.runs_w(step),
            "row_bytes": row_bytes,
            **_product(step, pairs),
        },
        scratch_bytes=_scratch_bytes(step, pairs) + runs * _POINTER_BYTES + ring_rows * row_bytes,
        overlap={0: convolution.rows_distance(step)},
    )


def _conv_1x1(step: Step) -> Step:
    convolution.require_1x1(step)
    pairs = order(step)
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


CONV = Kernel("conv_2d_s8_dsp", frozenset({"dsp"}), _conv, _dense_cost)
CONV_1X1 = Kernel("conv_1x1_s8_dsp", frozenset({"dsp"}), _conv_1x1, _dense_cost)
