"""EXP, int8, or of float32 between int8."""

from __future__ import annotations

import math

from microwright.ops import functions

# Beyond this, float32 is infinite.
_MOST = 100.0

OP = functions.op(lambda node: lambda x: math.exp(min(x, _MOST)), in_micro=functions.in_litert)
