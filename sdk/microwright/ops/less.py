"""LESS, with broadcasting: whether the first number is the smaller one."""

from __future__ import annotations

from microwright.ops import comparison

OP = comparison.op(comparison.LESS)
