"""ELU, int8: exp(x) - 1 for negative x."""

from __future__ import annotations

import math

import numpy as np

from microwright.ops import functions


def _elu(x: float) -> float:
    """The difference is one of float32."""
    return x if x >= 0 else float(np.float32(math.exp(x)) - np.float32(1))


OP = functions.op(lambda node: _elu)
