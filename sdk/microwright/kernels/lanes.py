"""Pools and means of four neighbouring channels at a time (include/mw/lanes.h)."""

from __future__ import annotations

import math
from dataclasses import replace

from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step

_LANES = 4


def _pool(step: Step) -> Step:
    if step.number("channels") < _LANES:
        raise Rejected(f"it has {step.number('channels')} channels, fewer than {_LANES}")
    # Four channels of a pixel are written when they have been read, which is as well as one by one.
    return replace(step, kernel=f"{step.kernel}_lanes")


def _pool_cost(step: Step) -> float:
    outputs = math.prod(step.number(name) for name in ("batches", "out_h", "out_w", "channels"))
    rows, columns = (min(step.number(f"filter_{side}"), step.number(f"in_{side}")) for side in "hw")
    return outputs * (12 + rows * (3 + columns))


def _mean(step: Step) -> Step:
    if _sizes(step, "keep_stride")[-1] != 1:
        raise Rejected("it is over the innermost axis")
    if _sizes(step, "keep_size")[-1] < _LANES:
        raise Rejected(f"it is of {_sizes(step, 'keep_size')[-1]} channels, fewer than {_LANES}")
    return replace(step, kernel="mean_s8_lanes")


def _mean_cost(step: Step) -> float:
    kept, reduced = math.prod(_sizes(step, "keep_size")), _sizes(step, "reduce_size")
    return kept * (40 + reduced[0] * reduced[1] * (3 + reduced[2]))


def _sizes(step: Step, name: str) -> tuple[int, ...]:
    values = step.fields[name]
    assert isinstance(values, tuple)
    return values


AVERAGE_POOL = Kernel("average_pool_2d_s8_lanes", frozenset(), _pool, _pool_cost)
MAX_POOL = Kernel("max_pool_2d_s8_lanes", frozenset(), _pool, _pool_cost)
MEAN = Kernel("mean_s8_lanes", frozenset(), _mean, _mean_cost)
