"""Sliding windows over NHWC images: the geometry that convolutions and pools share."""

from __future__ import annotations

from dataclasses import dataclass

from microwright.graph import Node, Tensor
from microwright.ops.base import unsupported

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
    same = node.options["padding"] == "SAME"
    expected = (size + stride - 1) // stride if same else (size - span + stride) // stride
    if out != expected:
        raise unsupported(node, f"its output has size {out} along {side}, expected {expected}", _AGAIN)
    return Axis(taps, stride, dilation, max((out - 1) * stride + span - size, 0) // 2)


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
