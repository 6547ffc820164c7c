"""HARD_SWISH, int8: x * min(max(x + 3, 0), 6) / 6, in the reference's 16-bit arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, float32_ratio, multiplier, per_tensor

_INT16_MIN, _INT16_MAX = -(2**15), 2**15 - 1
# Inputs get so many more bits; (127 + 128) * 2^7 is below 2^15.
_HEADROOM_BITS = 7
# The scale on which 3 is 2^15.
_UNIT_SCALE = np.float32(3) / np.float32(2**15)


def _rescalings(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier]:
    """From the input with headroom to the output, and to [-1, 1] for [-3, 3]; mantissas of 16 bits."""
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    x_scale /= 2**_HEADROOM_BITS
    out, unit = (multiplier(float32_ratio(x_scale, scale)) for scale in (y_scale, float(_UNIT_SCALE)))
    if not -15 <= out.shift <= 0 or not -15 <= unit.shift <= 15:
        raise unsupported(
            node,
            f"scales {x_scale * 2**_HEADROOM_BITS:.3g} of the input and {y_scale:.3g} of the output "
            "are out of range",
            "check the calibration data",
        )
    return _of_16_bits(out), _of_16_bits(unit)


def _of_16_bits(by: Multiplier) -> Multiplier:
    return Multiplier(min((by.mult + 2**15) >> 16, _INT16_MAX), by.shift)


def _hard_swish(graph: Graph, node: Node) -> Callable[[int], int]:
    _, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, y_zero_point = per_tensor(node, output_tensor(graph, node))
    out, unit = _rescalings(graph, node)

    def hard_swish(value: int) -> int:
        x = (value - x_zero_point) << _HEADROOM_BITS
        # From [-1, 1] to [0, 1].
        gate = (_unit(x, unit) + 2**15) >> 1
        product = gate * _high_mul(x, out.mult)
        # Towards zero here, where the rounding above is up.
        towards_zero = product >> 15 if product >= 0 else -(-product >> 15)
        return fixed_point.rounding_divide_by_pot(towards_zero, -out.shift) + y_zero_point

    return hard_swish


def _unit(x: int, by: Multiplier) -> int:
    """x * by, saturated; the last bit of a left shift comes behind the product."""
    if by.shift > 0:
        return _saturate(_high_mul(_saturate(x << (by.shift - 1)), by.mult) << 1)
    return fixed_point.rounding_divide_by_pot(_high_mul(x, by.mult), -by.shift)


def _high_mul(a: int, b: int) -> int:
    """2 * a * b / 2**16 to nearest, ties up; b is not -2**15."""
    return (a * b + 2**14) >> 15


def _saturate(x: int) -> int:
    return min(max(x, _INT16_MIN), _INT16_MAX)


OP = table.unary(_hard_swish, limits="an output of at least 1/128 of the input's scale")
