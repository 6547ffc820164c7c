"""ELU, int8, or of float32 between int8: exp(x) - 1 for negative x."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from microwright.graph import Node
from microwright.ops import functions


def _elu(node: Node) -> Callable[[float], float]:
    """In float32, the reference has a function for the difference; in int8, it subtracts."""

    def elu(x: float) -> float:
        if x >= 0:
            return x
        if node.options.get(functions.FLOATS):
            return math.expm1(x)
        return float(np.float32(math.exp(x)) - np.float32(1))

    return elu


OP = functions.op(_elu)
