"""FLOOR_MOD, of float32 between int8: the remainder that has the sign of the divisor."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
