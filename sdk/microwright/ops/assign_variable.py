"""ASSIGN_VARIABLE: a variable gets values, which the next inference finds."""

from __future__ import annotations

from microwright.ops import read_variable, rearrange

OP = rearrange.op(read_variable.lower, types="any")
