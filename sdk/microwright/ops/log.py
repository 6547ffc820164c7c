"""LOG, int8, or of float32 between int8; of what is not positive, the smallest output."""

from __future__ import annotations

import math

from microwright.ops import functions


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


OP = functions.op(lambda node: _log, in_micro=functions.in_litert)
