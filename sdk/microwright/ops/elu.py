"""ELU, int8, or of float32 between int8: exp(x) - 1 for negative x."""

from __future__ import annotations

import math

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import functions
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table. In float32, the reference has a function for the difference; in int8, it subtracts."""

    def elu(x: float) -> float:
        if x >= 0:
            return x
        if node.options.get(functions.FLOATS):
            return math.expm1(x)
        return float(np.float32(math.exp(x)) - np.float32(1))

    return (functions.step(graph, node, elu),)


OP = Op(functions.check, lower, types="int8", kernels=("lookup_8",))
