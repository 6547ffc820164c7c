"""LESS_EQUAL, with broadcasting: whether the first number is not the larger one."""

from __future__ import annotations

from microwright.ops import comparison

OP = comparison.op(comparison.LESS | comparison.EQUAL)
