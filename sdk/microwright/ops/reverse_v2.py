"""REVERSE_V2, of any type: axes backwards."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange
from microwright.ops.base import Step, axis_of, input_tensor, integers, output_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x = input_tensor(graph, node, 0)
    places = rearrange.axes(x.shape)
    for axis in {axis_of(node, value, len(x.shape)) for value in integers(graph, node, 1, "axes")}:
        places[axis] = places[axis][::-1]
    return (rearrange.step(node, x, output_tensor(graph, node), places),)


OP = rearrange.op(lower, types="any", limits="constant axes")
