"""LOGISTIC (sigmoid), int8. The output's scale is 1/256 and its zero point -128."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Op, Step, input_tensor, unsupported
from microwright.ops.quantized import multiplier, per_tensor

# The argument is in Q4.27: beyond +-15 the result is 0 or 1.
_INTEGER_BITS = 4


def check(graph: Graph, node: Node) -> None:
    """int8 in and out; a scale of the input that Q4.27 can hold."""
    x, y = table.check_unary(graph, node)
    if per_tensor(node, y) != (1 / 256, -128):
        raise unsupported(
            node, "the output's scale is not 1/256 with zero point -128", "quantise the model again"
        )
    scale, _ = per_tensor(node, x)
    if not 2.0**-27 <= scale < 2.0**30:
        raise unsupported(
            node, f"the input's scale {scale:.3g} is out of range", "check the calibration data"
        )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    scale, zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, shift = math.frexp(scale * 2.0 ** (31 - _INTEGER_BITS))
    # The largest argument below 15, in the input's integers.
    radius = math.floor(15 * 2.0 ** (31 - _INTEGER_BITS) / 2.0**shift)

    def sigmoid(value: int) -> int:
        x = value - zero_point
        if x <= -radius:
            return -128
        if x >= radius:
            return 127
        argument = fixed_point.requantize(x, multiplier(scale * 2.0 ** (31 - _INTEGER_BITS)))
        return fixed_point.rounding_divide_by_pot(fixed_point.logistic(argument, _INTEGER_BITS), 31 - 8) - 128

    return (table.step(graph, node, sigmoid),)


OP = Op(check, lower)
