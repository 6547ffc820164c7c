"""EXP, int8, or of float32 between int8."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import functions
from microwright.ops.base import Op, Step


def _exp(x: float) -> float:
    # Beyond this, float32 is infinite.
    return math.exp(min(x, 100.0))


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    return (functions.step(graph, node, _exp),)


OP = Op(functions.check, lower, in_micro=functions.in_litert, types="int8", kernels=("lookup_8",))
