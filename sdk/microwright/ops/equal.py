"""EQUAL, with broadcasting: whether two numbers are equal."""

from __future__ import annotations

from microwright.ops import comparison

OP = comparison.op(comparison.EQUAL, bools=True)
