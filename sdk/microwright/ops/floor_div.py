"""FLOOR_DIV, of float32 between int8: the integer below a quotient."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
