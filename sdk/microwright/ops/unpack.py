"""UNPACK, of any type: an output for each index of an axis, which goes."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, axis_of, input_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call an output."""
    x = input_tensor(graph, node, 0)
    axis = axis_of(node, window.option(node, "axis"), len(x.shape))
    if len(node.outputs) != x.shape[axis]:
        raise unsupported(
            node, f"it has {len(node.outputs)} outputs for {x.shape[axis]} indices", "export the model again"
        )
    places = rearrange.axes(x.shape)
    index = places.pop(axis)
    outputs = (graph.tensors[output] for output in node.outputs)
    return tuple(
        rearrange.step(node, x, y, places, offset=int(at)) for y, at in zip(outputs, index, strict=True)
    )


OP = rearrange.op(lower, types="any")
