"""ARG_MIN, int8 to int32: the index of the smallest value along an axis, the first of several."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import arg
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    return (arg.step(graph, node, flip=-1),)


OP = Op.lowered(lower, types="int8 to int32", kernels=("arg_max_s8",), limits="a constant axis")
