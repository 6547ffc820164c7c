"""GREATER_EQUAL, with broadcasting: whether the first number is not the smaller one."""

from __future__ import annotations

from microwright.ops import comparison

OP = comparison.op(comparison.GREATER | comparison.EQUAL)
