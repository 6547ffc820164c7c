"""RELU as a node of its own, int8: rescaled from the input's scale to the output's, then cut at zero."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import Multiplier, float32_ratio, per_tensor, rescale


def _rescaling(graph: Graph, node: Node) -> Multiplier:
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    # The quotient is a float32 in the reference, unlike in other operators.
    return rescale(node, float32_ratio(x_scale, y_scale))


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, per tensor."""
    table.check_unary(graph, node)
    _rescaling(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    _, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, y_zero_point = per_tensor(node, output_tensor(graph, node))
    rescaling = _rescaling(graph, node)

    def relu(x: int) -> int:
        y = fixed_point.wrap(fixed_point.requantize(x - x_zero_point, rescaling) + y_zero_point)
        return max(y, y_zero_point)

    return (table.step(graph, node, relu),)


OP = Op(check, lower, types="int8", kernels=("lookup_8",))
