"""Functions that squash their argument to a range, int8: LOGISTIC and TANH up to the function.

The argument is in Q4.27: beyond +-15 the result is the end of the range.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Op, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import multiplier, per_tensor

INTEGER_BITS = 4


def op(function: Callable[[int], int], scale: float, zero_point: int) -> Op:
    """An operator that is `function`, from an argument in Q4.27 to an output of this scale and zero point."""
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

        def squashed(value: int) -> int:
            x = value - in_zero_point
            if abs(x) >= radius:
                return 127 if x > 0 else -128
            return function(fixed_point.requantize(x, multiplier(in_scale * unit)))

        return squashed

    return table.unary(of, limits=f"an output of scale 1/{inverse} and zero point {zero_point}")
