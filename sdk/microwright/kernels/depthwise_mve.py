"""Depthwise convolutions on Helium: a channel at a time, four outputs next to each other at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microwright.kernels import channels_mve, convolution
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step

_TAPS = 3
_LANES = 4
_ROW_BYTES = 64
# Of a row of the plane: all inputs, or the even ones.
_MOST_LANES = {1: 62, 2: 31}
# Eight inputs are gathered with 16-bit offsets.
_MOST_LANE_BYTES = 65535 // 7


@dataclass(frozen=True)
class _Axis:
    """One axis of the image; `stride_bytes` from an input to the next, `out_bytes` from an output."""

    size: int
    out: int
    pad: int
    stride_bytes: int
    out_bytes: int

    def copied(self, stride: int) -> int:
        """Inputs that lie in a window."""
        return min(self.size, (self.out - 1) * stride + _TAPS - self.pad)


def _axes(step: Step) -> tuple[_Axis, _Axis]:
    """(height, width)."""
    channels, in_w, out_w = step.number("in_ch"), step.number("in_w"), step.number("out_w")
    return (
        _Axis(
            step.number("in_h"),
            step.number("out_h"),
            step.number("pad_top"),
            in_w * channels,
            out_w * channels,
        ),
        _Axis(in_w, out_w, step.number("pad_left"), channels, channels),
    )


def _axes_cost(lanes: _Axis, steps: _Axis, stride: int) -> float:
    """Instructions of a channel, counted in the assembly."""
    fours = -(-lanes.out // _LANES)
    per_step = 20.5 if stride == 1 else 23.5
    copied = steps.copied(stride) * stride * (8 + 4 * -(-lanes.copied(stride) // (8 * stride)))
    return fours * (per_step * steps.out + (37 if stride == 1 else 27)) + copied + 80


def _lanes_across(step: Step) -> bool:
    """Whether lanes along the width need fewer instructions than along the height.

    Raises Rejected where neither fits.
    """
    stride = step.number("stride_h")
    height, width = _axes(step)
    possible = [
        (_axes_cost(lanes, steps, stride), across)
        for lanes, steps, across in ((width, height, True), (height, width, False))
        if _LANES <= lanes.out <= _MOST_LANES[stride] and lanes.stride_bytes * stride <= _MOST_LANE_BYTES
    ]
    if not possible:
        raise Rejected(f"its output of {height.out} x {width.out} is too small or too large")
    return min(possible)[1]


def _depthwise_3x3(step: Step) -> Step:
    convolution.require(step, {"batches": 1, "multiplier": 1, "filter_h": _TAPS, "filter_w": _TAPS})
    stride = step.number("stride_h")
    convolution.require(step, {"stride_w": stride, "dilation_h": 1, "dilation_w": 1})
    if stride > 2:
        raise Rejected(f"its stride is {stride}")
    height, width = _axes(step)
    across = _lanes_across(step)
    lanes, steps = (width, height) if across else (height, width)
    channels = step.number("in_ch")
    weights = step.values("weights")
    assert weights is not None
    by_channel = weights.astype(np.int64).reshape(_TAPS, _TAPS, channels)
    if not across:
        by_channel = by_channel.transpose(1, 0, 2)
    found = channels_mve.of(step, by_channel.reshape(_TAPS * _TAPS, channels).T)
    size, packed = channels_mve.packed(found)
    shrinks = step.number("out_h") <= step.number("in_h") and step.number("out_w") <= step.number("in_w")
    plane_bytes = _ROW_BYTES * ((steps.out - 1) * stride + _TAPS)
    return Step(
        "depthwise_3x3_s8_mve",
        step.inputs,
        step.outputs,
        {
            "channels": channels,
            "stride": stride,
            "in_lanes": lanes.copied(stride),
            "in_steps": steps.copied(stride),
            "in_lane_bytes": lanes.stride_bytes,
            "in_step_bytes": steps.stride_bytes,
            "pad_lanes": lanes.pad,
            "pad_steps": steps.pad,
            "out_lanes": lanes.out,
            "out_steps": steps.out,
            "out_lane_bytes": lanes.out_bytes,
            "out_step_bytes": steps.out_bytes,
            **convolution.numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
            "channel_bytes": size,
            "weights": Constant(np.stack([c.weights for c in found]).astype(np.int8).reshape(-1)),
            "packed": packed,
        },
        scratch_bytes=channels_mve.ram_bytes(channels) + plane_bytes,
        # A channel is written when all of it has been copied, and to bytes that are its own in the input.
        overlap={0: None} if shrinks else {},
    )


def _depthwise_3x3_cost(step: Step) -> float:
    stride = min(step.number("stride_h"), 2)
    height, width = _axes(step)
    return step.number("in_ch") * min(_axes_cost(width, height, stride), _axes_cost(height, width, stride))


DEPTHWISE_3X3 = Kernel("depthwise_3x3_s8_mve", frozenset({"mve"}), _depthwise_3x3, _depthwise_3x3_cost)
