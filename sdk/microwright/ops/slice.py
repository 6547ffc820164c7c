"""SLICE: a box of the input, of any type."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange
from microwright.ops.base import Step, input_tensor, integers, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. A size of -1 is all that follows."""
    x = input_tensor(graph, node, 0)
    begins, sizes = integers(graph, node, 1, "begin"), integers(graph, node, 2, "size")
    if not len(begins) == len(sizes) == len(x.shape):
        raise unsupported(node, "begin and size have not one number an axis", "export the model again")
    axes = rearrange.axes(x.shape)
    for axis, (begin, size, extent) in enumerate(zip(begins, sizes, x.shape, strict=True)):
        end = extent if size == -1 else begin + size
        if not 0 <= begin <= end <= extent:
            raise unsupported(
                node, f"elements {begin} to {end} of {extent} along axis {axis}", "export the model again"
            )
        axes[axis] = axes[axis][begin:end]
    return (rearrange.step(node, x, output_tensor(graph, node), axes),)


OP = rearrange.op(lower, types="any", limits="constant begin and size")
