"""MAX_POOL_2D: the maximum of a sliding window, channel by channel."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import pool, typed
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel."""
    return pool.lower(graph, node, "max_pool_2d")


OP = Op.lowered(
    lower,
    types=typed.TYPES,
    kernels=typed.kernels("max_pool_2d"),
    limits="input and output of one scale and zero point",
)
