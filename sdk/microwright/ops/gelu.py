"""GELU, int8: x times the share of a normal distribution below x, or its approximation by tanh."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from microwright.graph import Node
from microwright.ops import functions

_SQRT_HALF = np.float32(math.sqrt(0.5))
_SQRT_2_OVER_PI = np.float32(math.sqrt(2 / math.pi))
_CUBE = np.float32(0.044715)


def _gelu(node: Node) -> Callable[[float], float]:
    return _approximate if node.options.get("approximate") else _exact


def _exact(value: float) -> float:
    """x / 2 * erfc(-x / sqrt(2)), each step in float32."""
    x = np.float32(value)
    share = np.float32(math.erfc(float(x * -_SQRT_HALF)))
    return float(np.float32(0.5) * x * share)


def _approximate(value: float) -> float:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), each step in float32."""
    x = np.float32(value)
    argument = _SQRT_2_OVER_PI * (x + _CUBE * x * x * x)
    return float(np.float32(0.5) * x * (np.float32(1) + np.float32(math.tanh(float(argument)))))


OP = functions.op(_gelu, in_micro=functions.in_litert)
