"""Functions that squash their argument to a range, int8: LOGISTIC and TANH up to the function.

The argument is in Q4.27: beyond +-15 the result is the end of the range.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Step, input_tensor, unsupported
from microwright.ops.quantized import multiplier, per_tensor

INTEGER_BITS = 4


def check(graph: Graph, node: Node, scale: float, zero_point: int) -> None:
    """int8 in and out, with this scale and zero point of the output; a scale of the input that fits."""
    x, y = table.check_unary(graph, node)
    if per_tensor(node, y) != (scale, zero_point):
        raise unsupported(
            node,
            f"the output's scale is not 1/{round(1 / scale)} with zero point {zero_point}",
            "quantise the model again",
        )
    in_scale, _ = per_tensor(node, x)
    if not 2.0**-27 <= in_scale < 2.0**30:
        raise unsupported(
            node, f"the input's scale {in_scale:.3g} is out of range", "check the calibration data"
        )


def step(graph: Graph, node: Node, function: Callable[[int], int]) -> Step:
    """A table of `function`, from an argument in Q4.27 to the output's integer value."""
    scale, zero_point = per_tensor(node, input_tensor(graph, node, 0))
    unit = 2.0 ** (31 - INTEGER_BITS)
    _, shift = math.frexp(scale * unit)
    # The largest argument below 15, in the input's integers.
    radius = math.floor(15 * unit / 2.0**shift)

    def squashed(value: int) -> int:
        x = value - zero_point
        if abs(x) >= radius:
            return 127 if x > 0 else -128
        return function(fixed_point.requantize(x, multiplier(scale * unit)))

    return table.step(graph, node, squashed)
