"""LEAKY_RELU, int8: negative values times alpha, all rescaled to the output's scale."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import Multiplier, float32_ratio, per_tensor, rescale


def _alpha(node: Node) -> float:
    alpha = node.options["alpha"]
    assert isinstance(alpha, float)
    return alpha


def _rescalings(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier]:
    """Of positive values, and of negative ones by the size of alpha."""
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    return (
        rescale(node, float32_ratio(x_scale, y_scale)),
        rescale(node, x_scale * abs(_alpha(node)) / y_scale),
    )


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, per tensor."""
    table.check_unary(graph, node)
    _rescalings(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    _, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, y_zero_point = per_tensor(node, output_tensor(graph, node))
    positive, negative = _rescalings(graph, node)
    sign = -1 if _alpha(node) < 0 else 1

    def leaky(value: int) -> int:
        x = value - x_zero_point
        y = fixed_point.requantize(x, positive) if x >= 0 else sign * fixed_point.requantize(x, negative)
        return fixed_point.wrap(y + y_zero_point)

    return (table.step(graph, node, leaky),)


OP = Op(check, lower, types="int8", kernels=("lookup_8",))
