"""MINIMUM, int8, with broadcasting."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, extremum, integers
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    return (broadcast.step(graph, node, "minimum_s8", {}),)


OP = integers.also(
    Op(
        extremum.check,
        lower,
        types="int8",
        kernels=("minimum_s8",),
        limits="operands and output of one scale and zero point",
    )
)
