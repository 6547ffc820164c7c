"""LOGISTIC (sigmoid)."""

from __future__ import annotations

from microwright.ops import fixed_point, squash


def _sigmoid(x: int) -> int:
    return fixed_point.rounding_divide_by_pot(fixed_point.logistic(x, squash.INTEGER_BITS), 31 - 8) - 128


OP = squash.op("logistic", _sigmoid, 1 / 256, -128, doublings=0)
