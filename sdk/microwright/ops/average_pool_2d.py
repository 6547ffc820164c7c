"""AVERAGE_POOL_2D: the average of a sliding window, channel by channel."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import pool
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of average_pool_2d_s8."""
    return pool.lower(graph, node, "average_pool_2d_s8")


OP = Op.lowered(
    lower,
    types="int8",
    kernels=("average_pool_2d_s8",),
    limits="input and output of one scale and zero point",
)
