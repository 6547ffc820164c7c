"""ABS, int8: the distance from the input's zero point, rescaled to the output's scale."""

from __future__ import annotations

from collections.abc import Callable

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import input_tensor, output_tensor
from microwright.ops.quantized import float32_ratio, per_tensor, rescale


def _absolute(graph: Graph, node: Node) -> Callable[[int], int]:
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))
    # Equal scales are not rescaled, which is not the same as by 1.
    rescaling = None if x_scale == y_scale else rescale(node, float32_ratio(x_scale, y_scale))

    def absolute(x: int) -> int:
        y = abs(x - x_zero_point)
        if rescaling is not None:
            y = fixed_point.requantize(y, rescaling)
        return fixed_point.wrap(y + y_zero_point)

    return absolute


OP = table.unary(_absolute)
