"""SIGN, of float32 between int8: -1, 0 or 1."""

from __future__ import annotations

from microwright.ops import functions
from microwright.ops.base import never

OP = functions.floats(in_micro=never)
