"""RELU as a node of its own, int8: rescaled from the input's scale to the output's, then cut at zero."""

from __future__ import annotations

from collections.abc import Callable

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import input_tensor, output_tensor
from microwright.ops.quantized import float32_ratio, per_tensor, rescale


def _relu(graph: Graph, node: Node) -> Callable[[int], int]:
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))
    # The quotient is a float32 in the reference, unlike in other operators.
    rescaling = rescale(node, float32_ratio(x_scale, y_scale))

    def relu(x: int) -> int:
        y = fixed_point.wrap(fixed_point.requantize(x - x_zero_point, rescaling) + y_zero_point)
        return max(y, y_zero_point)

    return relu


OP = table.unary(_relu)
