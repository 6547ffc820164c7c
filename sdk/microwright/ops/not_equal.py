"""NOT_EQUAL, with broadcasting: whether two numbers differ."""

from __future__ import annotations

from microwright.ops import comparison

OP = comparison.op(comparison.LESS | comparison.GREATER, bools=True)
