"""Pools on Helium: 16 channels at a time."""

from __future__ import annotations

import math
from dataclasses import replace

from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step

# A sum of so many int8 values fits in 16 bits.
_MOST_TAPS = 256


def _taps(step: Step) -> tuple[int, int]:
    """Rows and columns of a window inside the image."""
    rows, columns = (min(step.number(f"filter_{side}"), step.number(f"in_{side}")) for side in "hw")
    return rows, columns


def _average(step: Step) -> Step:
    if math.prod(_taps(step)) > _MOST_TAPS:
        raise Rejected(f"a sum of {math.prod(_taps(step))} values may not fit in 16 bits")
    # Channels of a pixel are written when they have been read, which is as well as one by one.
    return replace(step, kernel="average_pool_2d_s8_mve")


def _max(step: Step) -> Step:
    return replace(step, kernel="max_pool_2d_s8_mve")


def _cost(step: Step, per_tap: float) -> float:
    """Of vectors of 16 channels; a tap takes per_tap, a run of taps 8, an output 20 and 40 more a pixel."""
    pixels = math.prod(step.number(name) for name in ("batches", "out_h", "out_w"))
    rows, columns = _taps(step)
    runs = 1 if columns == step.number("in_w") else rows
    vectors = math.ceil(step.number("channels") / 16)
    return pixels * (40 + vectors * (20 + 8 * runs + per_tap * rows * columns))


AVERAGE_POOL = Kernel("average_pool_2d_s8_mve", frozenset({"mve"}), _average, lambda step: _cost(step, 6))
MAX_POOL = Kernel("max_pool_2d_s8_mve", frozenset({"mve"}), _max, lambda step: _cost(step, 4))
