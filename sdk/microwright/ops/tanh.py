"""TANH, int8. The output's scale is 1/128 and its zero point 0."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, squash
from microwright.ops.base import Op, Step


def check(graph: Graph, node: Node) -> None:
    """int8 in and out; a scale of the input that Q4.27 can hold."""
    squash.check(graph, node, 1 / 128, 0)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""

    def tanh(x: int) -> int:
        return fixed_point.rounding_divide_by_pot(fixed_point.tanh(x, squash.INTEGER_BITS), 31 - 7)

    return (squash.step(graph, node, tanh),)


OP = Op(check, lower, types="int8", kernels=("lookup_8",), limits="an output of scale 1/128 and zero point 0")
