"""ABS, int8: the distance from the input's zero point, rescaled to the output's scale."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import Multiplier, float32_ratio, per_tensor, rescale


def _rescaling(graph: Graph, node: Node) -> Multiplier | None:
    """From the input's scale to the output's; None where they are equal."""
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    return None if x_scale == y_scale else rescale(node, float32_ratio(x_scale, y_scale))


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, per tensor."""
    table.check_unary(graph, node)
    _rescaling(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    _, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, y_zero_point = per_tensor(node, output_tensor(graph, node))
    rescaling = _rescaling(graph, node)

    def absolute(x: int) -> int:
        y = abs(x - x_zero_point)
        if rescaling is not None:
            y = fixed_point.requantize(y, rescaling)
        return fixed_point.wrap(y + y_zero_point)

    return (table.step(graph, node, absolute),)


OP = Op(check, lower, types="int8", kernels=("lookup_8",))
