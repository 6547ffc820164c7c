"""Convolutions on cores with the DSP extension: a matrix product of packed weights and columns of inputs."""

from __future__ import annotations

import numpy as np

from microwright.kernels import gemm_dsp
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step
from microwright.ops.base import Field

_COLUMN_PIXELS = 3
_POINTER_BYTES = 4


def _require_plain(step: Step) -> None:
    for name, value, why in (
        ("groups", 1, "it is grouped"),
        ("batches", 1, "its batch is not 1"),
    ):
        if step.number(name) != value:
            raise Rejected(why)


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


def _numbers(step: Step, *names: str) -> dict[str, Field]:
    return {name: step.number(name) for name in names}


def _product_cost(step: Step, k_pairs: int) -> float:
    """Of the tiles and their columns.

    Counted in the assembly: 8.5 instructions a pair of k and of channels at three pixels and 66 around them;
    10 a pair of k to gather.
    """
    pixels = step.number("out_h") * step.number("out_w")
    channel_pairs = (step.number("out_ch") + 1) // 2
    return pixels / 3 * (channel_pairs * (8.5 * k_pairs + 66) + 10 * k_pairs)


def _conv(step: Step) -> Step:
    _require_plain(step)
    if step.number("dilation_h") != 1 or step.number("dilation_w") != 1:
        raise Rejected("it is dilated")
    in_ch, filter_h, filter_w = (step.number(name) for name in ("in_ch", "filter_h", "filter_w"))
    pairs = gemm_dsp.k_order(filter_h, filter_w * in_ch)
    width = max(
        (step.number("out_w") - 1) * step.number("stride_w") + filter_w,
        step.number("pad_left") + step.number("in_w"),
    )
    row_bytes = (width * in_ch + 3) // 4 * 4
    return Step(
        "conv_2d_s8_dsp",
        step.inputs,
        step.outputs,
        {
            **_numbers(step, "in_h", "in_w", "in_ch", "out_h", "out_w", "out_ch"),
            **_numbers(step, "filter_h", "filter_w", "stride_h", "stride_w", "pad_top", "pad_left"),
            **_numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
            "row_bytes": row_bytes,
            **_product(step, pairs),
        },
        scratch_bytes=_scratch_bytes(step, pairs) + filter_h * (_POINTER_BYTES + row_bytes),
        overlap={0: _conv_distance(step)},
    )


def _conv_distance(step: Step) -> int:
    """How far the output has to start below the input.

    An output row is written when the input rows up to its last tap have been copied.
    """
    rows = np.arange(step.number("out_h"))
    written = (rows + 1) * step.number("out_w") * step.number("out_ch")
    read = rows * step.number("stride_h") + step.number("filter_h") - step.number("pad_top")
    in_h = step.number("in_h")
    copied = np.clip(read, 0, in_h) * step.number("in_w") * step.number("in_ch")
    return max(0, int((written - copied).max()))


def _conv_1x1(step: Step) -> Step:
    _require_plain(step)
    in_w, in_ch, out_h, out_w, out_ch = (
        step.number(name) for name in ("in_w", "in_ch", "out_h", "out_w", "out_ch")
    )
    stride_h, stride_w = step.number("stride_h"), step.number("stride_w")
    if (step.number("filter_h"), step.number("filter_w")) != (1, 1):
        raise Rejected("its filter is not 1x1")
    if step.number("pad_top") or step.number("pad_left"):
        raise Rejected("it is padded")
    pairs = gemm_dsp.k_order(1, in_ch)
    one_row = stride_h == stride_w == 1
    return Step(
        "conv_1x1_s8_dsp",
        step.inputs,
        step.outputs,
        {
            "rows": 1 if one_row else out_h,
            "row_pixels": out_h * out_w if one_row else out_w,
            "in_row_bytes": stride_h * in_w * in_ch,
            "in_ch": in_ch,
            "out_ch": out_ch,
            "in_step": stride_w * in_ch,
            **_numbers(step, "out_zp", "act_min", "act_max"),
            **_product(step, pairs),
        },
        scratch_bytes=_scratch_bytes(step, pairs),
        overlap={0: _conv_1x1_distance(step)},
    )


def _conv_1x1_distance(step: Step) -> int:
    """How far the output has to start below the input.

    A pixel is written when it and everything before it has been read.
    """
    rows, columns = np.arange(step.number("out_h"))[:, None], np.arange(step.number("out_w"))[None, :]
    written = (rows * step.number("out_w") + columns + 1) * step.number("out_ch")
    pixel = rows * step.number("stride_h") * step.number("in_w") + columns * step.number("stride_w")
    return max(0, int((written - (pixel + 1) * step.number("in_ch")).max()))


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
