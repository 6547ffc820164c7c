"""READ_VARIABLE: a copy of what a variable has, or the variable itself where it keeps that long enough."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange
from microwright.ops.base import Step, input_tensor, output_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call that copies."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    return (rearrange.step(node, x, y, rearrange.axes(x.shape)),)


OP = rearrange.op(lower, types="any")
