"""SPLIT_V, of any type: parts of given sizes along an axis."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import parts, rearrange
from microwright.ops.base import Step, input_tensor, integers


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call an output. The outputs' shapes say the sizes."""
    return parts.steps(graph, node, input_tensor(graph, node, 0), integers(graph, node, 2, "axis"))


OP = rearrange.op(lower, types="any", limits="a constant axis")
