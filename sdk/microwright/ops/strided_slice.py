"""STRIDED_SLICE: every n-th element of a box of the input, of any type, as Python's slices pick them."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, input_tensor, integers, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. Bits of `shrink_axis_mask` pick one element of an axis, which goes."""
    x = input_tensor(graph, node, 0)
    for name in ("ellipsis_mask", "new_axis_mask", "offset"):
        if node.options[name]:
            raise unsupported(node, f"its {name} is {node.options[name]}", "slice axis by axis, then reshape")
    parts = [integers(graph, node, i, name) for i, name in ((1, "begin"), (2, "end"), (3, "strides"))]
    if {len(part) for part in parts} != {len(parts[0])} or len(parts[0]) > len(x.shape):
        raise unsupported(
            node, "begin, end and strides have not one number an axis", "export the model again"
        )
    begin_mask, end_mask, shrink = (
        window.option(node, f"{name}_mask") for name in ("begin", "end", "shrink_axis")
    )
    axes = rearrange.axes(x.shape)
    for axis, (begin, end, stride) in enumerate(zip(*parts, strict=True)):
        if stride == 0:
            raise unsupported(node, "a stride is 0", "export the model again")
        if shrink >> axis & 1:
            if not -x.shape[axis] <= begin < x.shape[axis]:
                raise unsupported(
                    node, f"element {begin} of {x.shape[axis]} along axis {axis}", "export the model again"
                )
            axes[axis] = axes[axis][begin % x.shape[axis]][None]
        else:
            first = None if begin_mask >> axis & 1 else begin
            last = None if end_mask >> axis & 1 else end
            axes[axis] = axes[axis][first:last:stride]
    kept = tuple(len(places) for axis, places in enumerate(axes) if not shrink >> axis & 1)
    y = output_tensor(graph, node)
    if kept != y.shape:
        raise unsupported(
            node, f"of {x.shape} it makes {kept}, its output is {y.shape}", "export the model again"
        )
    return (rearrange.step(node, x, y, axes, shape=[len(places) for places in axes]),)


def _in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro takes up to 4 dimensions."""
    return len(input_tensor(graph, node, 0).shape) <= 4


OP = rearrange.op(
    lower,
    types="any",
    limits="constant begin, end and strides; no ellipsis and no new axes",
    in_micro=_in_micro,
)
