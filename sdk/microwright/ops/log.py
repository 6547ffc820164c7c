"""LOG, int8, or of float32 between int8; of what is not positive, the smallest output."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import functions
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    return (functions.step(graph, node, lambda x: math.log(x) if x > 0 else -math.inf),)


OP = Op(functions.check, lower, in_micro=functions.in_litert, types="int8", kernels=("lookup_8",))
