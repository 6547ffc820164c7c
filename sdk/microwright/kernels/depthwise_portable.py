"""Depthwise convolutions on any core: channel by channel, four outputs at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from microwright.kernels import convolution, gemm_portable
from microwright.kernels.base import Kernel
from microwright.ops import Constant, Step
from microwright.ops.base import Field

_WORD_BYTES = 4
_PIXELS = 4
# Rows that are kept when the band is full are copied to its start; this many more make that rare.
_MORE_ROWS = 8

_SWAPPED = {
    "in_h": "in_w",
    "out_h": "out_w",
    "filter_h": "filter_w",
    "stride_h": "stride_w",
    "dilation_h": "dilation_w",
    "pad_top": "pad_left",
}


def _swapped(step: Step) -> Step:
    """The call with height and width swapped."""
    other = {**_SWAPPED, **{w: h for h, w in _SWAPPED.items()}}
    fields = {name: step.fields[other.get(name, name)] for name in step.fields}
    weights = step.values("weights")
    assert weights is not None
    taps = weights.reshape(step.number("filter_h"), step.number("filter_w"), -1)
    return replace(step, fields={**fields, "weights": Constant(taps.swapaxes(0, 1).reshape(-1))})


def _same_size(step: Step) -> bool:
    """Whether each output pixel lies where the input pixel of its place does."""
    return (step.number("in_h"), step.number("in_w")) == (step.number("out_h"), step.number("out_w"))


def _groups(height: int, width: int) -> int:
    return height * -(-width // _PIXELS)


def _swaps(step: Step) -> bool:
    """Whether height and width swapped make fewer groups of outputs."""
    out_h, out_w = step.number("out_h"), step.number("out_w")
    return _same_size(step) and _groups(out_w, out_h) < _groups(out_h, out_w)


def _phase_words(step: Step) -> int:
    """Columns of a row that have the same remainder modulo the stride."""
    stride = step.number("stride_w")
    read = -(-step.number("out_w") // _PIXELS) * _PIXELS
    read += (step.number("filter_w") - 1) * step.number("dilation_w") // stride
    return max(read, -(-(step.number("pad_left") + step.number("in_w")) // stride))


def _window_rows(step: Step) -> int:
    return (step.number("filter_h") - 1) * step.number("dilation_h") + 1


def _band_rows(step: Step) -> int:
    all_rows = (step.number("out_h") - 1) * step.number("stride_h") + _window_rows(step)
    return min(all_rows, _window_rows(step) + _MORE_ROWS)


def _overlap(step: Step) -> Mapping[int, int | None]:
    """In place where a row is written when the input rows up to it have been read; channels do not mix."""
    shrinks = step.number("out_h") <= step.number("in_h") and step.number("out_w") <= step.number("in_w")
    in_order = step.number("pad_top") < _window_rows(step)
    return {0: None} if step.number("multiplier") == 1 and shrinks and in_order else {}


def _depthwise(step: Step) -> Step:
    convolution.require_int16(step, *_SWAPPED, *_SWAPPED.values())
    in_ch, multiplier, in_w, out_w = (step.number(name) for name in ("in_ch", "multiplier", "in_w", "out_w"))
    out_ch = in_ch * multiplier
    in_strides, out_strides = (in_w * in_ch, in_ch), (out_w * out_ch, out_ch)
    if _swaps(step):
        step, in_strides, out_strides = _swapped(step), in_strides[::-1], out_strides[::-1]
    weights = step.values("weights")
    assert weights is not None
    by_channel = weights.astype(np.int64).reshape(-1, out_ch).T
    taps = by_channel.shape[1]
    strides: dict[str, Field] = {
        "in_row": in_strides[0],
        "in_step": in_strides[1],
        "out_row": out_strides[0],
        "out_step": out_strides[1],
    }
    return Step(
        "depthwise_conv_2d_s8_portable",
        step.inputs,
        step.outputs,
        {
            **convolution.numbers(step, "in_h", "in_w", "in_ch"),
            **strides,
            **convolution.numbers(step, "out_h", "out_w", "multiplier", "filter_h", "filter_w"),
            **convolution.numbers(step, "stride_h", "stride_w", "dilation_h", "dilation_w"),
            **convolution.numbers(step, "pad_top", "pad_left", "in_zp", "out_zp", "act_min", "act_max"),
            "phase_words": _phase_words(step),
            "band_rows": _band_rows(step),
            **gemm_portable.pack(step, by_channel, axis=0),
        },
        scratch_bytes=_WORD_BYTES
        * (2 * taps + _band_rows(step) * step.number("stride_w") * _phase_words(step)),
        overlap=_overlap(step),
    )


def _cost(step: Step) -> float:
    """Of a core that multiplies and adds in one instruction.

    Counted in the assembly: four outputs, of 3x3 taps without dilation or of any; to spread an input value.
    About: an output and an input row, a channel and its taps.
    """
    if _swaps(step):
        step = _swapped(step)
    out_h, out_w, in_h, in_w = (step.number(name) for name in ("out_h", "out_w", "in_h", "in_w"))
    taps = step.number("filter_h") * step.number("filter_w")
    channels = step.number("in_ch") * step.number("multiplier")
    group = 98.0 if _is_3x3(step) else 50 + 10.0 * taps
    rows = 60 * out_h + 45 * in_h
    return channels * (150 + 5 * taps + rows + 2.2 * in_h * in_w + group * _groups(out_h, out_w))


def _is_3x3(step: Step) -> bool:
    sizes = tuple(step.number(name) for name in ("filter_h", "filter_w", "dilation_h", "dilation_w"))
    return sizes == (3, 3, 1, 1) and step.number("stride_w") <= 2


DEPTHWISE = Kernel("depthwise_conv_2d_s8_portable", frozenset(), _depthwise, _cost)
