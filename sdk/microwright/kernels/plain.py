"""Estimated instructions of the plain kernels, to weigh faster ones against: Step -> instructions.

Fitted to what they execute on a Cortex-M3 (GCC 12, -O2), to about a quarter. A plain kernel without an
estimate counts as free. Those of int16 and float32, which no faster kernel is weighed against, count as those
of int8.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from microwright.ops import Step


def instructions(step: Step) -> float:
    """Of one call of a plain kernel."""
    estimate = _ESTIMATES.get(step.kernel) or _ESTIMATES.get(_OTHER_TYPE.sub("_s8", step.kernel))
    return 0.0 if estimate is None else estimate(step)


def _product(step: Step, *names: str) -> int:
    return math.prod(step.number(name) for name in names)


def _conv_2d(step: Step) -> float:
    outputs = _product(step, "batches", "out_h", "out_w", "out_ch")
    return outputs * (190 + 5.0 * _product(step, "filter_h", "filter_w", "group_in_ch"))


def _depthwise(step: Step) -> float:
    outputs = _product(step, "batches", "out_h", "out_w", "in_ch", "multiplier")
    return outputs * (80 + 14.0 * _product(step, "filter_h", "filter_w"))


def _fully_connected(step: Step) -> float:
    return _product(step, "batches", "out_len") * (140 + 5.0 * step.number("in_len"))


def _pool(step: Step) -> float:
    outputs = _product(step, "batches", "out_h", "out_w", "channels")
    rows, columns = (min(step.number(f"filter_{side}"), step.number(f"in_{side}")) for side in "hw")
    return outputs * (30 + 7.5 * rows * columns)


def _mean(step: Step) -> float:
    return 8.0 * _sizes(step, "keep_size") * _sizes(step, "reduce_size")


def _sizes(step: Step, name: str) -> int:
    sizes = step.fields[name]
    assert isinstance(sizes, tuple)
    return math.prod(sizes)


def _rearrange(step: Step) -> float:
    runs = _sizes(step, "extents")
    return 6.0 * runs if step.number("run_bytes") == 1 else runs * (40.0 + step.number("run_bytes"))


def _batch_matmul(step: Step) -> float:
    outputs = _sizes(step, "batches") * _product(step, "rows", "columns")
    return outputs * (40 + 7.0 * step.number("depth"))


def _transpose_conv(step: Step) -> float:
    outputs = _product(step, "batches", "out_h", "out_w", "out_ch")
    taps = -(-step.number("filter_h") // step.number("stride_h"))
    taps *= -(-step.number("filter_w") // step.number("stride_w"))
    return outputs * (90 + taps * (20 + 6.0 * step.number("in_ch")))


def _lstm(step: Step) -> float:
    gates = 4 * _product(step, "batches", "steps", "units")
    return gates * (130 + 3.1 * (step.number("in_len") + step.number("units")))


def _svdf(step: Step) -> float:
    filters = _product(step, "batches", "units", "rank")
    return filters * (150 + 7.0 * step.number("in_len") + 13.0 * step.number("memory"))


def _pairs(cost: float) -> Callable[[Step], float]:
    return lambda step: cost * _sizes(step, "extents")


_OTHER_TYPE = re.compile("_(s16|f32)$")
_ESTIMATES: Mapping[str, Callable[[Step], float]] = {
    "add_s8": _pairs(127.0),
    "arithmetic_s32": _pairs(37.0),
    "arg_max_s8": lambda step: 8.0 * _product(step, "outer", "size", "inner"),
    "average_pool_2d_s8": _pool,
    "batch_matmul_s8": _batch_matmul,
    "cast": lambda step: 29.0 * step.number("elements"),
    "compare_s32": _pairs(43.0),
    "compare_s8": _pairs(82.0),
    "concatenation": lambda step: _product(step, "rows", "row_bytes") + 20.0 * step.number("rows"),
    "conv_2d_s8": _conv_2d,
    "depthwise_conv_2d_s8": _depthwise,
    "dequantize_s8_f32": lambda step: 10.0 * step.number("elements"),
    "div_s8": _pairs(169.0),
    "fully_connected_s8": _fully_connected,
    "gather": lambda step: _product(step, "batches", "outer", "count") * (45.0 + step.number("run_bytes")),
    "log_softmax_s8": lambda step: 177.0 * _product(step, "rows", "depth"),
    "lookup_8": lambda step: 5.0 * step.number("elements"),
    "lstm_s8": _lstm,
    "max_pool_2d_s8": _pool,
    "maximum_s8": _pairs(15.0),
    "mean_s8": _mean,
    "minimum_s8": _pairs(15.0),
    "mul_s8": _pairs(60.0),
    "pad_s8": lambda step: float(_sizes(step, "extents")),
    "prelu_s8": _pairs(60.0),
    "quantize_f32_s8": lambda step: 50.0 * step.number("elements"),
    "rearrange": _rearrange,
    "reduce_max_s8": lambda step: 13.0 * _sizes(step, "keep_size") * _sizes(step, "reduce_size"),
    "resize_bilinear_s8": lambda step: 35.0 * _product(step, "batches", "out_h", "out_w", "channels"),
    "select": lambda step: _sizes(step, "extents") * (38.0 if step.number("item_bytes") == 1 else 67.0),
    "softmax_s8": lambda step: 50.0 * _product(step, "rows", "depth"),
    "squared_difference_s8": _pairs(130.0),
    "sub_s8": _pairs(127.0),
    "svdf_s8": _svdf,
    "transpose_conv_s8": _transpose_conv,
}
