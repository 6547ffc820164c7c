"""SPLIT, of any type: equal parts along an axis."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import parts, rearrange
from microwright.ops.base import Step, input_tensor, integers


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call an output. The axis is the first operand."""
    return parts.steps(graph, node, input_tensor(graph, node, 1), integers(graph, node, 0, "axis"))


OP = rearrange.op(lower, types="any", limits="a constant axis")
