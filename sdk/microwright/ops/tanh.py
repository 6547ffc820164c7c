"""TANH."""

from __future__ import annotations

from microwright.ops import fixed_point, squash


def _tanh(x: int) -> int:
    return fixed_point.rounding_divide_by_pot(fixed_point.tanh(x, squash.INTEGER_BITS), 31 - 7)


OP = squash.op("tanh", _tanh, 1 / 128, 0, doublings=1)
