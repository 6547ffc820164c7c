"""LEAKY_RELU: negative values times alpha, all rescaled to the output's scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Field, input_tensor, output_tensor
from microwright.ops.quantized import Multiplier, float32_ratio, per_tensor, rescale


def _alpha(node: Node) -> float:
    alpha = node.options["alpha"]
    assert isinstance(alpha, float)
    return alpha


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, int]:
    """Of positive values; of negative ones by the size of alpha, whose sign comes afterwards."""
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    positive = rescale(node, float32_ratio(x_scale, y_scale))
    negative = rescale(node, x_scale * abs(_alpha(node)) / y_scale)
    return positive, negative, -1 if _alpha(node) < 0 else 1


def _leaky_relu(graph: Graph, node: Node) -> Callable[[int], int]:
    _, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    _, y_zero_point = per_tensor(node, output_tensor(graph, node))
    positive, negative, sign = _multipliers(graph, node)

    def leaky(value: int) -> int:
        x = value - x_zero_point
        y = fixed_point.requantize(x, positive) if x >= 0 else sign * fixed_point.requantize(x, negative)
        return fixed_point.wrap(y + y_zero_point)

    return leaky


def _sixteen_bits(graph: Graph, node: Node) -> Mapping[str, Field]:
    positive, negative, sign = _multipliers(graph, node)
    return {
        "mult": positive.mult,
        "shift": positive.shift,
        "alpha_mult": negative.mult,
        "alpha_shift": negative.shift,
        "alpha_sign": sign,
    }


def _floats(graph: Graph, node: Node) -> Mapping[str, Field]:
    return {"alpha": _alpha(node)}


OP = table.unary(
    _leaky_relu,
    others={
        "int16": table.Other("leaky_relu_s16", _sixteen_bits),
        "float32": table.Other("leaky_relu_f32", _floats),
    },
)
