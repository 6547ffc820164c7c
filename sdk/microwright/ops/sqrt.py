"""SQRT, of float32 between int8: what is negative becomes the smallest output."""

from __future__ import annotations

import math
from collections.abc import Callable

from microwright.graph import Node
from microwright.ops import functions
from microwright.ops.base import unsupported


def _root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _sqrt(node: Node) -> Callable[[float], float]:
    if not node.options.get(functions.FLOATS):
        raise unsupported(
            node, "it is int8 from the converter, which has its own rounding", "use rsqrt, times the tensor"
        )
    return _root


OP = functions.op(_sqrt, limits=functions.BETWEEN)
