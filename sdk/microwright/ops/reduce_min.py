"""REDUCE_MIN, int8: the smallest value over any axes."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import reduction
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of reduce_max_s8."""
    return (reduction.extremum(graph, node, "int8", flip=-1),)


OP = Op.lowered(
    lower,
    types="int8",
    kernels=("reduce_max_s8",),
    limits="constant axes, alternating up to 3 times; one scale and zero point",
)
