"""CEIL, of float32 between int8: the integer above."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
