"""REDUCE_ALL, bool: whether all of the values over any axes are true, which is their smallest one."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import reduction
from microwright.ops.base import Op, Step, never


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of reduce_max_s8."""
    return (reduction.extremum(graph, node, "bool", flip=-1),)


OP = Op.lowered(
    lower,
    types="bool",
    kernels=("reduce_max_s8",),
    limits="constant axes, alternating up to 3 times",
    in_micro=never,
)
