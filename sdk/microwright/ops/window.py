"""Sliding windows over NHWC images: the geometry that convolutions and pools share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.graph import Node, Tensor
from microwright.ops.base import unsupported

Size: TypeAlias = tuple[int, int, int]

# An option "padding" that no file has: "padding_h" and "padding_w" hold the pixels before and after it.
EXPLICIT = "EXPLICIT"

_AGAIN = "export the model again"


@dataclass(frozen=True)
class Axis:
    """A window's steps along the height or the width, in pixels; `before` is the padding at the start."""

    taps: int
    stride: int
    dilation: int
    before: int


def image(node: Node, tensor: Tensor) -> tuple[int, int, int, int]:
    """(batches, height, width, channels) of a tensor. Raises UnsupportedOp where it is none."""
    if len(tensor.shape) != 4 or tensor.elements == 0:
        raise unsupported(
            node,
            f"tensor {tensor.name[:80]!r} has shape {list(tensor.shape)}, "
            "expected [batch, height, width, channels]",
            "reshape it to four dimensions; one-dimensional layers can have a height of 1",
        )
    batches, height, width, channels = tensor.shape
    return batches, height, width, channels


def option(node: Node, name: str) -> int:
    """An integer option of the node."""
    value = node.options[name]
    assert isinstance(value, int)
    return value


def axis(node: Node, side: str, *, size: int, out: int, taps: int, dilation: int = 1) -> Axis:
    """Steps of the node's window along `side` ("h" or "w") of an image of `size` pixels, with `out` outputs.

    Raises UnsupportedOp where the output does not have the size that padding and stride give (ComputeOutSize
    of TensorFlow Lite).
    """
    stride = option(node, f"stride_{side}")
    if min(taps, stride, dilation) < 1:
        raise unsupported(
            node,
            f"window of {taps} taps, stride {stride}, dilation {dilation}: all have to be 1 or more",
            _AGAIN,
        )
    span = (taps - 1) * dilation + 1
    if size + span + stride >= 2**31:
        raise unsupported(node, f"a window of {span} pixels is too large", "use a smaller kernel or dilation")
    if node.options["padding"] == "SAME":
        expected, before = same_padding(size, span, stride)
    else:
        padding = node.options[f"padding_{side}"] if node.options["padding"] == EXPLICIT else (0, 0)
        assert isinstance(padding, tuple)
        before = padding[0]
        expected = (size + sum(padding) - span + stride) // stride
    if out != expected:
        raise unsupported(node, f"its output has size {out} along {side}, expected {expected}", _AGAIN)
    return Axis(taps, stride, dilation, before)


def same_padding(size: int, span: int, stride: int) -> tuple[int, int]:
    """Outputs of a window along an axis, and pixels of padding at its start, where padding is "SAME"."""
    out = (size + stride - 1) // stride
    return out, max((out - 1) * stride + span - size, 0) // 2


def output(node: Node, tensor: Tensor, batches: int, channels: int) -> tuple[int, int]:
    """(height, width) of the node's output. Raises UnsupportedOp where its batches or channels are others."""
    out_batches, height, width, out_channels = image(node, tensor)
    if (out_batches, out_channels) != (batches, channels):
        raise unsupported(
            node,
            f"its output has batch {out_batches} and {out_channels} channels, "
            f"expected {batches} and {channels}",
            _AGAIN,
        )
    return height, width


def overlap_distance(h: Axis, w: Axis, image: tuple[int, int, int, int], out: Size, *, ahead: int) -> int:
    """Step.overlap of a kernel that computes output pixels in order, straight from the image.

    `image` is (batches, height, width, channels), `out` (height, width, channels). While it computes a pixel,
    the kernel writes up to `ahead` values of it before it has read all that it needs; value `ahead` + c is
    written when channel c has been read.
    """
    batches, height, width, channels = image
    out_h, out_w, out_ch = out
    rows, columns = _first_inside(h, height, out_h)[:, None], _first_inside(w, width, out_w)[None, :]
    first = np.where((rows < height) & (columns < width), rows * width + columns, height * width)
    first = (np.arange(batches)[:, None] * height * width + first.reshape(1, -1)).reshape(-1)
    # What is read for a pixel or for any later one starts here.
    unread = np.minimum.accumulate(first[::-1])[::-1]
    written = np.arange(len(unread)) * out_ch + ahead
    reading = unread < batches * height * width
    return int((written - unread * channels).max(initial=0, where=reading))


def _first_inside(steps: Axis, size: int, out: int) -> npt.NDArray[np.int64]:
    """The first pixel along an axis that each output reads; `size` where its whole window is outside."""
    origin = np.arange(out, dtype=np.int64) * steps.stride - steps.before
    taps_before = -(np.minimum(origin, 0) // steps.dilation)
    first = origin + taps_before * steps.dilation
    return np.where((taps_before < steps.taps) & (first < size), first, size)
