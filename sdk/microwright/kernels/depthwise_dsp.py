"""Depthwise convolutions on cores with the DSP extension."""

from __future__ import annotations

import numpy as np

from microwright.kernels import convolution, gemm_dsp
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step
from microwright.ops.base import Field

# struct channel of depthwise_3x3_s8_dsp.c; a column of a strip.
_CHANNEL_BYTES = 40
_COLUMN_BYTES = 8
# struct channel of depthwise_conv_2d_s8_dsp.c.
_SCALE_BYTES = 16
_GROUP = 4


def _scaled(step: Step, *, folded: bool) -> dict[str, Field]:
    """The weights in their own order, channels that are constant cleared, and a scale a channel.

    `folded`: the input's zero point is in the bias.
    """
    weights = step.values("weights")
    assert weights is not None
    taps = step.number("filter_h") * step.number("filter_w")
    by_channel = weights.astype(np.int64).reshape(taps, -1).T
    channels = [gemm_dsp.channel_of(step, index, row) for index, row in enumerate(by_channel)]
    if not folded:
        channels = [c.unfolded(step.number("in_zp")) for c in channels]
    return {
        "weights": Constant(np.stack([c.weights for c in channels], axis=1).astype(np.int8).reshape(-1)),
        **gemm_dsp.packed_channels("scales", channels),
    }


def _depthwise_3x3(step: Step) -> Step:
    convolution.require(step, {"multiplier": 1, "filter_h": 3, "filter_w": 3, "dilation_h": 1})
    stride = step.number("stride_h")
    convolution.require(step, {"dilation_w": 1, "stride_w": stride})
    if stride > 2:
        raise Rejected(f"its stride is {stride}")
    columns = max((step.number("out_w") - 1) * stride + 3, step.number("pad_left") + step.number("in_w"))
    shrinks = step.number("out_h") <= step.number("in_h") and step.number("out_w") <= step.number("in_w")
    return Step(
        "depthwise_3x3_s8_dsp",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w"),
            "channels": step.number("in_ch"),
            **convolution.numbers(step, "out_h", "out_w"),
            "stride": stride,
            **convolution.numbers(step, "pad_top", "pad_left", "in_zp", "out_zp", "act_min", "act_max"),
            "columns": columns,
            **_scaled(step, folded=True),
        },
        scratch_bytes=_GROUP * (_CHANNEL_BYTES + _COLUMN_BYTES * columns),
        # A channel's rows are written when the next two have been read, at other channels' bytes of none.
        overlap={0: None} if shrinks and step.number("pad_top") <= 2 else {},
    )


def _depthwise(step: Step) -> Step:
    convolution.require(step, {"multiplier": 1})
    return Step(
        "depthwise_conv_2d_s8_dsp",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w"),
            "channels": step.number("in_ch"),
            **convolution.numbers(step, "out_h", "out_w", "filter_h", "filter_w", "stride_h", "stride_w"),
            **convolution.numbers(step, "dilation_h", "dilation_w", "pad_top", "pad_left"),
            **convolution.numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
            **_scaled(step, folded=False),
        },
        scratch_bytes=_SCALE_BYTES * step.number("in_ch"),
    )


def _depthwise_cost(step: Step) -> float:
    """Counted in the compiled code: a tap of four channels, a pixel of one."""
    pixels = step.number("out_h") * step.number("out_w")
    taps = step.number("filter_h") * step.number("filter_w")
    return pixels * step.number("in_ch") * (3.5 * taps + 20)


def _depthwise_3x3_cost(step: Step) -> float:
    """Counted in the assembly: a strip of a channel, its output columns, and filling it."""
    stride, out_w = step.number("stride_h"), step.number("out_w")
    strips = step.number("out_h") / (2 if stride == 1 else 1) * step.number("in_ch")
    return strips * (30 + (29 if stride == 1 else 19) * out_w + 5.0 * stride * out_w)


DEPTHWISE_3X3 = Kernel("depthwise_3x3_s8_dsp", frozenset({"dsp"}), _depthwise_3x3, _depthwise_3x3_cost)
DEPTHWISE = Kernel("depthwise_conv_2d_s8_dsp", frozenset({"dsp"}), _depthwise, _depthwise_cost)
