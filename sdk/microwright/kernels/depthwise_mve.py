"""Depthwise convolutions on Helium: a channel at a time, several outputs next to each other at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microwright.kernels import channels_mve, convolution
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Constant, Step
from microwright.ops.base import Field

# Eight inputs are gathered with 16-bit offsets.
_MOST_LANE_BYTES = 65535 // 7
# Of depthwise_3x3_s8_mve: lanes at once, bytes of a row of the plane, and how many lanes that is enough for,
# by stride; with a stride of 2, half of the row is for the even inputs.
_TAPS = 3
_FOUR = 4
_ROW_BYTES = 64
_MOST_LANES = {1: 62, 2: 31}
# Of depthwise_conv_2d_s8_mve: lanes at once.
_TWELVE = 12


@dataclass(frozen=True)
class _Axis:
    """One axis of the image; in_bytes from an input to the next, out_bytes from an output."""

    size: int
    out: int
    pad: int
    taps: int
    stride: int
    dilation: int
    in_bytes: int
    out_bytes: int

    @property
    def reach(self) -> int:
        """Inputs that windows cover, with the padding."""
        return (self.out - 1) * self.stride + (self.taps - 1) * self.dilation + 1

    @property
    def copied(self) -> int:
        """Those that are not padding."""
        return min(self.size, self.reach - self.pad)


def _axes(step: Step) -> tuple[_Axis, _Axis]:
    """(height, width)."""
    in_w, out_w, in_ch = step.number("in_w"), step.number("out_w"), step.number("in_ch")
    out_ch = in_ch * step.number("multiplier")
    height, width = (
        _Axis(
            size=step.number(f"in_{side}"),
            out=step.number(f"out_{side}"),
            pad=step.number(pad),
            taps=step.number(f"filter_{side}"),
            stride=step.number(f"stride_{side}"),
            dilation=step.number(f"dilation_{side}"),
            in_bytes=in_bytes,
            out_bytes=out_bytes,
        )
        for side, pad, in_bytes, out_bytes in (
            ("h", "pad_top", in_w * in_ch, out_w * out_ch),
            ("w", "pad_left", in_ch, out_ch),
        )
    )
    return height, width


Cost = Callable[[_Axis, _Axis], float]


def _lanes_across(step: Step, cost: Cost, fits: Callable[[_Axis], bool]) -> bool:
    """Whether lanes along the width need fewer instructions than along the height.

    Raises Rejected where neither fits.
    """
    height, width = _axes(step)
    possible = [
        (cost(lanes, steps), across)
        for lanes, steps, across in ((width, height, True), (height, width, False))
        if fits(lanes) and lanes.in_bytes * lanes.stride <= _MOST_LANE_BYTES
    ]
    if not possible or min(height.copied, width.copied) < 1:
        raise Rejected(f"its output of {height.out} x {width.out} is too small or too large")
    return min(possible)[1]


def _cost(step: Step, cost: Cost) -> float:
    height, width = _axes(step)
    return step.number("in_ch") * min(cost(width, height), cost(height, width))


def _fields(step: Step, lanes: _Axis, steps: _Axis) -> dict[str, Field]:
    """The fields that say where inputs and outputs lie."""
    return {
        "in_lanes": lanes.copied,
        "in_steps": steps.copied,
        "in_lane_bytes": lanes.in_bytes,
        "in_step_bytes": steps.in_bytes,
        "pad_lanes": lanes.pad,
        "pad_steps": steps.pad,
        "out_lanes": lanes.out,
        "out_steps": steps.out,
        "out_lane_bytes": lanes.out_bytes,
        "out_step_bytes": steps.out_bytes,
    }


def _constants(step: Step, across: bool) -> dict[str, Field]:
    """The fields of weights and channels. Raises Rejected where the preconditions do not hold."""
    weights = step.values("weights")
    assert weights is not None
    taps_h, taps_w = step.number("filter_h"), step.number("filter_w")
    by_tap = weights.astype(np.int64).reshape(taps_h, taps_w, -1)
    if not across:
        by_tap = by_tap.transpose(1, 0, 2)
    found = channels_mve.of(step, by_tap.reshape(taps_h * taps_w, -1).T)
    size, packed = channels_mve.packed(found)
    return {
        **convolution.numbers(step, "in_zp", "out_zp", "act_min", "act_max"),
        "channel_bytes": size,
        "weights": Constant(np.stack([c.weights for c in found]).astype(np.int8).reshape(-1)),
        "packed": packed,
    }


def _in_place(step: Step) -> dict[int, int | None]:
    """Step.overlap.

    A channel is written when all of it has been copied, and to bytes that are its own in the input.
    """
    shrinks = step.number("out_h") <= step.number("in_h") and step.number("out_w") <= step.number("in_w")
    alone = step.number("batches") == step.number("multiplier") == 1
    return {0: None} if shrinks and alone else {}


def _cost_3x3(lanes: _Axis, steps: _Axis) -> float:
    """Instructions of a channel, counted in the assembly."""
    stride = lanes.stride
    fours = -(-lanes.out // _FOUR)
    per_step = 20.5 if stride == 1 else 23.5
    copied = steps.copied * stride * (8 + 4 * -(-lanes.copied // (8 * stride)))
    return fours * (per_step * steps.out + (37 if stride == 1 else 27)) + copied + 80


def _depthwise_3x3(step: Step) -> Step:
    convolution.require(step, {"multiplier": 1, "filter_h": _TAPS, "filter_w": _TAPS})
    stride = step.number("stride_h")
    convolution.require(step, {"stride_w": stride, "dilation_h": 1, "dilation_w": 1})
    if stride not in _MOST_LANES:
        raise Rejected(f"its stride is {stride}")
    across = _lanes_across(step, _cost_3x3, lambda lanes: _FOUR <= lanes.out <= _MOST_LANES[stride])
    height, width = _axes(step)
    lanes, steps = (width, height) if across else (height, width)
    channels = step.number("in_ch")
    return Step(
        "depthwise_3x3_s8_mve",
        step.inputs,
        step.outputs,
        {
            "channels": channels,
            "stride": stride,
            **_fields(step, lanes, steps),
            **_constants(step, across),
        },
        scratch_bytes=channels_mve.ram_bytes(channels) + _ROW_BYTES * steps.reach,
        overlap=_in_place(step),
    )


def _cost_any(lanes: _Axis, steps: _Axis) -> float:
    """Instructions of a channel, counted in the assembly."""
    twelves = -(-lanes.out // _TWELVE)
    copied = steps.copied * (8 + 4 * -(-lanes.copied // 8))
    return steps.out * (10 + twelves * (50 + steps.taps * (5 + 9 * lanes.taps))) + copied + 80


def _depthwise(step: Step) -> Step:
    across = _lanes_across(step, _cost_any, lambda lanes: True)
    height, width = _axes(step)
    lanes, steps = (width, height) if across else (height, width)
    out_ch = step.number("in_ch") * step.number("multiplier")
    # Lanes up to a multiple of twelve are loaded.
    behind = -lanes.out % _TWELVE * lanes.stride
    plane_bytes = steps.reach * lanes.reach + behind
    return Step(
        "depthwise_conv_2d_s8_mve",
        step.inputs,
        step.outputs,
        {
            "batches": step.number("batches"),
            "in_bytes": height.size * height.in_bytes,
            "out_bytes": height.out * height.out_bytes,
            **convolution.numbers(step, "in_ch", "multiplier"),
            **_fields(step, lanes, steps),
            "taps_lanes": lanes.taps,
            "taps_steps": steps.taps,
            "stride_lanes": lanes.stride,
            "stride_steps": steps.stride,
            "dilation_lanes": lanes.dilation,
            "dilation_steps": steps.dilation,
            "pitch": lanes.reach,
            "plane_bytes": plane_bytes,
            **_constants(step, across),
        },
        scratch_bytes=channels_mve.ram_bytes(out_ch) + plane_bytes,
        overlap=_in_place(step),
    )


DEPTHWISE_3X3 = Kernel(
    "depthwise_3x3_s8_mve", frozenset({"mve"}), _depthwise_3x3, lambda step: _cost(step, _cost_3x3)
)
DEPTHWISE = Kernel(
    "depthwise_conv_2d_s8_mve",
    frozenset({"mve"}),
    _depthwise,
    lambda step: step.number("multiplier") * step.number("batches") * _cost(step, _cost_any),
)
