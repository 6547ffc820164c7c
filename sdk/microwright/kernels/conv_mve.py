"""Convolutions on Helium: a matrix product of packed weights and columns of inputs."""

from __future__ import annotations

from microwright.kernels import convolution, gemm_mve
from microwright.kernels.base import Kernel, Rejected
from microwright.kernels.gemm_mve import Gemm, Window
from microwright.ops import Step

_POINTER_BYTES = 4
_VECTOR = 16
_MOST_OFFSET = 0xFFFF
# A pixel's last vector may be loaded whole from the last row.
_BEHIND_BYTES = 16


def _window(step: Step) -> Window:
    """Of a convolution; 1x1 ones with a stride of 1 have a single row of pixels."""
    filter_h, filter_w, in_ch, out_w = (
        step.number(name) for name in ("filter_h", "filter_w", "in_ch", "out_w")
    )
    one_row = filter_h == filter_w == 1 and convolution.one_row(step)
    pixels = step.number("out_h") * out_w if one_row else out_w
    return Window(filter_h, filter_w, in_ch, pixels, step.number("stride_w"))


def conv(step: Step, gemm: Gemm) -> Step:
    """The call of conv_2d_s8_mve. Raises Rejected."""
    convolution.require(step, {"groups": 1, "dilation_h": 1, "dilation_w": 1})
    window = _window(step)
    row_bytes = convolution.row_bytes(step)
    if window.row_bytes < _VECTOR and window.rows * row_bytes > _MOST_OFFSET:
        raise Rejected(f"its {window.rows} rows of {row_bytes} bytes are too large for 16-bit offsets")
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
            **gemm.product(step, window),
        },
        scratch_bytes=(
            gemm.scratch_bytes(step, window) + window.rows * (_POINTER_BYTES + row_bytes) + _BEHIND_BYTES
        ),
        overlap={0: convolution.rows_distance(step)},
    )


def conv_1x1(step: Step, gemm: Gemm) -> Step:
    """The call of conv_1x1_s8_mve. Raises Rejected."""
    convolution.require(step, {"groups": 1})
    convolution.require_1x1(step)
    window = _window(step)
    fields = convolution.pixels(step)
    return Step(
        "conv_1x1_s8_mve",
        step.inputs,
        step.outputs,
        {
            **{name: fields[name] for name in ("rows", "row_pixels", "in_row_bytes", "in_ch", "in_step")},
            **gemm.product(step, window),
        },
        scratch_bytes=gemm.scratch_bytes(step, window),
        # Tiles are written when they and everything before them have been read.
        overlap={0: convolution.pixels_distance(step)},
    )


def conv_cost(step: Step, gemm: Gemm) -> float:
    """Estimated instructions of conv_2d_s8_mve."""
    pixels = step.number("in_h") * step.number("in_w")
    return gemm.cost(step, _window(step)) + 0.3 * pixels * step.number("in_ch")


def conv_1x1_cost(step: Step, gemm: Gemm) -> float:
    """Estimated instructions of conv_1x1_s8_mve."""
    return gemm.cost(step, _window(step))


CONV = Kernel(
    "conv_2d_s8_mve",
    frozenset({"mve"}),
    lambda step: conv(step, gemm_mve.DENSE),
    lambda step: conv_cost(step, gemm_mve.DENSE),
)
CONV_1X1 = Kernel(
    "conv_1x1_s8_mve",
    frozenset({"mve"}),
    lambda step: conv_1x1(step, gemm_mve.DENSE),
    lambda step: conv_1x1_cost(step, gemm_mve.DENSE),
)
