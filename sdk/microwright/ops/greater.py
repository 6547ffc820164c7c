"""GREATER, with broadcasting: whether the first number is the larger one."""

from __future__ import annotations

from microwright.ops import comparison

OP = comparison.op(comparison.GREATER)
