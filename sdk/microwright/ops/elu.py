"""ELU, int8: exp(x) - 1 for negative x, computed in float32 as the reference does when it starts."""

from __future__ import annotations

import math

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor

# The reference converts to int32 what it has rounded.
_MAX_QUOTIENT = 2.0**30


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, per tensor."""
    x, y = table.check_unary(graph, node)
    largest = max(255 * per_tensor(node, x)[0], 1.0)
    if largest / per_tensor(node, y)[0] > _MAX_QUOTIENT:
        raise unsupported(node, "the output's scale is too small", "check the calibration data")


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table. The float32 nearest to exp(x) is what any good library gives, or next to it."""
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))
    inverse = np.float32(1) / np.float32(y_scale)

    def elu(value: int) -> int:
        x = np.float32(x_scale) * np.float32(value - x_zero_point)
        y = x if x >= 0 else np.float32(math.exp(float(x))) - np.float32(1)
        scaled = float(y * inverse)
        return y_zero_point + int(math.copysign(math.floor(abs(scaled) + 0.5), scaled))

    return (table.step(graph, node, elu),)


OP = Op(check, lower, types="int8", kernels=("lookup_8",))
