"""RELU as a node of its own: rescaled from the input's scale to the output's, then cut at zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Field, input_tensor, output_tensor
from microwright.ops.quantized import float32_ratio, limits, per_tensor, rescale


def rescaled(graph: Graph, node: Node) -> Callable[[int], int]:
    """ReLU from the input's scale to the output's, int8. Raises UnsupportedOp."""
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))
    # The quotient is a float32 in the reference, unlike in other operators.
    rescaling = rescale(node, float32_ratio(x_scale, y_scale))

    def relu(x: int) -> int:
        y = fixed_point.wrap(fixed_point.requantize(x - x_zero_point, rescaling) + y_zero_point)
        return max(y, y_zero_point)

    return relu


def _sixteen_bits(graph: Graph, node: Node) -> Mapping[str, Field]:
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    rescaling = rescale(node, float32_ratio(per_tensor(node, x)[0], per_tensor(node, y)[0]))
    return {
        "in_zp": 0,
        "out_zp": 0,
        "mult": rescaling.mult,
        "shift": rescaling.shift,
        "act_min": 0,
        "act_max": limits(y)[1],
    }


def _floats(graph: Graph, node: Node) -> Mapping[str, Field]:
    return {"act_max": 0.0}


OP = table.unary(
    rescaled,
    others={
        "int16": table.Other("rescale_s16", _sixteen_bits),
        "float32": table.Other("relu_f32", _floats),
    },
)
