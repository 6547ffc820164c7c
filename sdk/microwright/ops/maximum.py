"""MAXIMUM with broadcasting."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, extremum, integers, typed
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel."""
    return (broadcast.step(graph, node, f"maximum_{broadcast.suffix(graph, node)}", {}),)


OP = integers.also(
    Op(
        extremum.check,
        lower,
        types=typed.TYPES,
        kernels=typed.kernels("maximum"),
        limits="operands and output of one scale and zero point",
    )
)
