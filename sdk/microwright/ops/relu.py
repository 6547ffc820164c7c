"""RELU as a node of its own: rescaled from the input's scale to the output's, then cut at zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from microwright.graph import Graph, Node, Tensor
from microwright.ops import fixed_point, table
from microwright.ops.base import Field, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import float32_ratio, limits, per_tensor, rescale


def cut(graph: Graph, node: Node, low: float, high: float | None) -> Callable[[int], int]:
    """From the input's scale to the output's, int8, cut at two real numbers. Raises UnsupportedOp."""
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, y := output_tensor(graph, node))
    # The quotient is a float32 in the reference, unlike in other operators.
    rescaling = rescale(node, float32_ratio(x_scale, y_scale))
    least = max(bound(node, y, low), limits(y)[0])
    most = limits(y)[1] if high is None else min(bound(node, y, high), limits(y)[1])

    def value_of(x: int) -> int:
        y = fixed_point.wrap(fixed_point.requantize(x - x_zero_point, rescaling) + y_zero_point)
        return min(max(y, least), most)

    return value_of


def bound(node: Node, y: Tensor, real: float) -> int:
    """A real number as an integer of the output's. Raises UnsupportedOp."""
    scale, zero_point = per_tensor(node, y)
    if abs(real) / scale > 2**30:
        raise unsupported(
            node, f"{real:g} is out of range at a scale of {scale:.3g}", "check the calibration data"
        )
    steps = float(np.float32(real) / np.float32(scale))
    return zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))


def in_litert(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro ignores that scales or zero points differ."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    return x.quantization == y.quantization


def _relu(graph: Graph, node: Node) -> Callable[[int], int]:
    return cut(graph, node, 0.0, None)


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
    _relu,
    others={
        "int16": table.Other("rescale_s16", _sixteen_bits),
        "float32": table.Other("relu_f32", _floats),
    },
)
