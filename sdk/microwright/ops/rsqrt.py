"""RSQRT, int8: 1 / sqrt(x) of positive values.

The reference stops at values below zero; here they give the largest output, as zero does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, per_tensor, rescale

# 1 / sqrt of an integer is computed with so many bits behind the point.
_FRACTION_BITS = 20


def _rescaling(graph: Graph, node: Node) -> Multiplier:
    """From 1 / sqrt of the input's integers to the output's, with the fraction that those have."""
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        factor = float(1.0 / np.float64(np.sqrt(np.float32(x_scale)) * np.float32(y_scale)))
    rescaling = rescale(node, factor)
    shift = rescaling.shift - _FRACTION_BITS
    if shift < -31:
        raise unsupported(node, f"its scales give a factor of {factor:g}", "check the calibration data")
    return Multiplier(rescaling.mult, shift)


def _rsqrt(graph: Graph, node: Node) -> Callable[[int], int]:
    _, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, y_zero_point = per_tensor(node, output_tensor(graph, node))
    rescaling = _rescaling(graph, node)

    def rsqrt(value: int) -> int:
        x = value - x_zero_point
        if x <= 0:
            return 127
        mult, shift = fixed_point.inverse_sqrt(x)
        y = fixed_point.requantize(1, Multiplier(mult, shift + _FRACTION_BITS))
        return fixed_point.wrap(fixed_point.requantize(y, rescaling) + y_zero_point)

    return rsqrt


OP = table.unary(_rsqrt, limits="the reference stops at values below 0, which are the largest output here")
