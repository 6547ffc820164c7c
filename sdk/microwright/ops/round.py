"""ROUND, of float32 between int8: the nearest integer, of two the even one."""

from __future__ import annotations

from microwright.ops import functions

OP = functions.floats()
