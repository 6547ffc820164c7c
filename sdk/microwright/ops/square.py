"""SQUARE, of float32 between int8: the product of the number with itself."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
