"""STRIDED_SLICE: every n-th element of a box of the input, of any type, as Python's slices pick them."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, input_tensor, integers, output_tensor, unsupported
from microwright.ops.rearrange import Places

_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. Bits of the masks say what a number of begin, end and strides is for:

    begin and end: from the first and to the last element; ellipsis: all axes that no other number is for;
    new_axis: an axis of one element; shrink_axis: one element of an axis, which goes.
    """
    x = input_tensor(graph, node, 0)
    if node.options["offset"]:
        raise unsupported(node, "its end is an offset from begin", "slice from begin to end")
    parts = [integers(graph, node, i, name) for i, name in ((1, "begin"), (2, "end"), (3, "strides"))]
    masks = {name: window.option(node, f"{name}_mask") for name in _MASKS}
    count = len(parts[0])
    given = [i for i in range(count) if not (masks["ellipsis"] | masks["new_axis"]) >> i & 1]
    ellipses = [i for i in range(count) if masks["ellipsis"] >> i & 1]
    if {len(part) for part in parts} != {count} or len(given) > len(x.shape) or len(ellipses) > 1:
        raise unsupported(
            node, "begin, end and strides have not one number an axis", "export the model again"
        )
    rest = iter(rearrange.axes(x.shape))
    axes: list[Places] = []
    kept: list[int] = []
    for i, slice_ in enumerate(zip(*parts, strict=True)):
        if i in ellipses:
            found = [next(rest) for _ in range(len(x.shape) - len(given))]
        elif masks["new_axis"] >> i & 1:
            found = [np.zeros(1, np.int64)]
        else:
            found = [_picked(node, next(rest), i, slice_, masks)]
        axes += found
        if i in ellipses or i not in given or not masks["shrink_axis"] >> i & 1:
            kept += map(len, found)
    left = list(rest)
    y = output_tensor(graph, node)
    if (*kept, *map(len, left)) != y.shape:
        raise unsupported(
            node,
            f"of {x.shape} it makes {(*kept, *map(len, left))}, its output is {y.shape}",
            "export the model again",
        )
    axes += left
    return (rearrange.step(node, x, y, axes, shape=[len(places) for places in axes]),)


def _picked(node: Node, axis: Places, i: int, slice_: tuple[int, ...], masks: dict[str, int]) -> Places:
    """The places along an axis that the i-th begin, end and stride pick."""
    begin, end, stride = slice_
    if stride == 0:
        raise unsupported(node, "a stride is 0", "export the model again")
    if masks["shrink_axis"] >> i & 1:
        if not -len(axis) <= begin < len(axis):
            raise unsupported(
                node, f"element {begin} of {len(axis)} along axis {i}", "export the model again"
            )
        return np.array([axis[begin % len(axis)]])
    first = None if masks["begin"] >> i & 1 else begin
    last = None if masks["end"] >> i & 1 else end
    places: Places = axis[first:last:stride]
    return places


def _in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro takes up to 4 dimensions, and no ellipsis and new axes."""
    plain = not node.options["ellipsis_mask"] and not node.options["new_axis_mask"]
    return plain and len(input_tensor(graph, node, 0).shape) <= 4


OP = rearrange.op(
    lower,
    types="any",
    limits="constant begin, end and strides",
    in_micro=_in_micro,
)
