"""RELU_0_TO_1 as a node of its own, int8: rescaled from the input's scale to the output's, then cut."""

from __future__ import annotations

from collections.abc import Callable

from microwright.graph import Graph, Node
from microwright.ops import relu, table
from microwright.ops.base import never


def _between(graph: Graph, node: Node) -> Callable[[int], int]:
    return relu.cut(graph, node, 0.0, 1.0)


OP = table.unary(_between, in_micro=never)
