"""LEAKY_RELU, int8: negative values times alpha, all rescaled to the output's scale."""

from __future__ import annotations

from collections.abc import Callable

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import input_tensor, output_tensor
from microwright.ops.quantized import float32_ratio, per_tensor, rescale


def _leaky_relu(graph: Graph, node: Node) -> Callable[[int], int]:
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))
    alpha = node.options["alpha"]
    assert isinstance(alpha, float)
    positive = rescale(node, float32_ratio(x_scale, y_scale))
    # Of negative values by the size of alpha; its sign comes afterwards.
    negative = rescale(node, x_scale * abs(alpha) / y_scale)
    sign = -1 if alpha < 0 else 1

    def leaky(value: int) -> int:
        x = value - x_zero_point
        y = fixed_point.requantize(x, positive) if x >= 0 else sign * fixed_point.requantize(x, negative)
        return fixed_point.wrap(y + y_zero_point)

    return leaky


OP = table.unary(_leaky_relu)
