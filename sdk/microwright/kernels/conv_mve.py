"""Convolutions on Helium: a matrix product of packed weights and columns of inputs."""

from __future__ import annotations

from microwright.kernels import convolution, gemm_mve
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step

_POINTER_BYTES = 4
_VECTOR = 16
_MOST_OFFSET = 0xFFFF
# A pixel's last vector may be loaded whole from the last row.
_BEHIND_BYTES = 16


def _conv(step: Step) -> Step:
    convolution.require(step, {"groups": 1, "batches": 1, "dilation_h": 1, "dilation_w": 1})
    filter_h, row_taps = step.number("filter_h"), step.number("filter_w") * step.number("in_ch")
    row_bytes = convolution.row_bytes(step)
    if row_taps < _VECTOR and filter_h * row_bytes > _MOST_OFFSET:
        raise Rejected(f"its {filter_h} rows of {row_bytes} bytes are too large for 16-bit offsets")
    return Step(
        "conv_2d_s8_mve",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w", "in_ch", "out_h", "out_w"),
            **convolution.numbers(
                step, "filter_h", "filter_w", "stride_h", "stride_w", "pad_top", "pad_left", "in_zp"
            ),
            "row_bytes": row_bytes,
            **gemm_mve.product(step, filter_h, row_taps, step.number("out_w")),
        },
        scratch_bytes=(
            gemm_mve.scratch_bytes(step, filter_h, row_taps, step.number("out_w"))
            + filter_h * (_POINTER_BYTES + row_bytes)
            + _BEHIND_BYTES
        ),
        overlap={0: convolution.rows_distance(step)},
    )


def _conv_1x1(step: Step) -> Step:
    convolution.require(step, {"groups": 1, "batches": 1})
    convolution.require_1x1(step)
    in_ch = step.number("in_ch")
    fields = convolution.pixels(step)
    row_pixels = fields["row_pixels"]
    assert isinstance(row_pixels, int)
    return Step(
        "conv_1x1_s8_mve",
        step.inputs,
        step.outputs,
        {
            **{name: fields[name] for name in ("rows", "row_pixels", "in_row_bytes", "in_ch", "in_step")},
            **gemm_mve.product(step, 1, in_ch, row_pixels),
        },
        scratch_bytes=gemm_mve.scratch_bytes(step, 1, in_ch, row_pixels),
        # Two or three pixels are written when they have been read.
        overlap={0: convolution.pixels_distance(step)},
    )


CONV = Kernel(
    "conv_2d_s8_mve",
    frozenset({"mve"}),
    _conv,
    lambda step: (
        gemm_mve.cost(step, step.number("filter_h") * step.number("filter_w") * step.number("in_ch"))
        + 0.3 * step.number("in_h") * step.number("in_w") * step.number("in_ch")
    ),
)
CONV_1X1 = Kernel(
    "conv_1x1_s8_mve",
    frozenset({"mve"}),
    _conv_1x1,
    lambda step: gemm_mve.cost(step, step.number("in_ch")),
)
