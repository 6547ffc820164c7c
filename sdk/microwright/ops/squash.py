"""Functions that squash their argument to a range: LOGISTIC and TANH up to the function.

In int8, the argument is in Q4.27: beyond +-15 the result is the end of the range. In int16 it is in units of
2^-12 / 3, as the runtime's table of the sigmoid has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Field, Op, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import multiplier, per_tensor

INTEGER_BITS = 4
_INT16_MAX = 2**15 - 1
# The scale of an int16 output, and of an input whose argument is a multiple of 3.
_OUT_SCALE_16 = 2.0**-15
_IN_SCALE_16 = 2.0**-12
_UNITS = 3


def op(name: str, function: Callable[[int], int], scale: float, zero_point: int, doublings: int) -> Op:
    """An operator that is `function`, in int8 from Q4.27 to an output of this scale and zero point.

    An int16 argument of up to 2^doublings times _IN_SCALE_16 is taken as it is, not rescaled.
    """

    def fields(graph: Graph, node: Node) -> Mapping[str, Field]:
        return _sixteen_bits(graph, node, doublings)

    inverse = round(1 / scale)

    def of(graph: Graph, node: Node) -> Callable[[int], int]:
        if per_tensor(node, output_tensor(graph, node)) != (scale, zero_point):
            raise unsupported(
                node,
                f"the output's scale is not 1/{inverse} with zero point {zero_point}",
                "quantise the model again",
            )
        in_scale, in_zero_point = per_tensor(node, input_tensor(graph, node, 0))
        if not 2.0**-27 <= in_scale < 2.0**30:
            raise unsupported(
                node, f"the input's scale {in_scale:.3g} is out of range", "check the calibration data"
            )
        unit = 2.0 ** (31 - INTEGER_BITS)
        _, shift = math.frexp(in_scale * unit)
        # The largest argument below 15, in the input's integers.
        radius = math.floor(15 * unit / 2.0**shift)
        to_argument = multiplier(in_scale * unit)

        def squashed(value: int) -> int:
            x = value - in_zero_point
            if abs(x) >= radius:
                return 127 if x > 0 else -128
            return function(fixed_point.requantize(x, to_argument))

        return squashed

    return table.unary(
        of,
        limits=f"an int8 output of scale 1/{inverse} and zero point {zero_point}, an int16 one of 2^-15",
        others={
            "int16": table.Other(f"{name}_s16", fields),
            "float32": table.Other(f"{name}_f32", table.no_fields),
        },
        inexact=("float32",),
    )


def _sixteen_bits(graph: Graph, node: Node, doublings: int) -> Mapping[str, Field]:
    """Fields mult and shift: from the input to units of _IN_SCALE_16 / 3, by 15 bits, cut off."""
    if not _is_about(per_tensor(node, output_tensor(graph, node))[0], _OUT_SCALE_16):
        raise unsupported(node, "the output's scale is not 2^-15", "quantise the model again")
    scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    for bits in range(doublings + 1):
        if _is_about(scale, _IN_SCALE_16 * 2**bits):
            return {"mult": _UNITS << bits, "shift": 0}
    factor, shift = scale / _IN_SCALE_16 * _UNITS, 0
    while factor <= _INT16_MAX / 2 and shift <= 30:
        factor, shift = factor * 2, shift + 1
    if factor >= _INT16_MAX + 1:
        raise unsupported(
            node, f"the input's scale {scale:.3g} is out of range", "check the calibration data"
        )
    return {"mult": int(factor), "shift": shift}


def _is_about(scale: float, power: float) -> bool:
    """Whether the reference takes the scale for a power of two: up to a thousandth in its logarithm."""
    return abs(math.log2(scale) - math.log2(power)) < 1e-3
