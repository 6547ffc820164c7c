"""RELU6 as a node of its own: rescaled from the input's scale to the output's, then cut at 0 and 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from microwright.graph import Graph, Node, Tensor
from microwright.ops import relu, table
from microwright.ops.base import Field, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import limits, multiplier, per_tensor


def _six(node: Node, y: Tensor) -> int:
    """6 as an integer of the output."""
    scale, zero = per_tensor(node, y)
    if 6.0 / scale > 2**30:
        raise unsupported(node, f"6 is out of range at a scale of {scale:.3g}", "check the calibration data")
    return min(zero + int(float(np.float32(6.0) / np.float32(scale)) + 0.5), limits(y)[1])


def _relu6(graph: Graph, node: Node) -> Callable[[int], int]:
    six = _six(node, output_tensor(graph, node))
    rescaled = relu.rescaled(graph, node)
    return lambda value: min(rescaled(value), six)


def _sixteen_bits(graph: Graph, node: Node) -> Mapping[str, Field]:
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if per_tensor(node, x) != per_tensor(node, y):
        raise unsupported(
            node,
            "input and output of int16 have different scales",
            "fuse the ReLU6 into the layer before it, or use ReLU",
        )
    same = multiplier(1.0)
    return {
        "in_zp": 0,
        "out_zp": 0,
        "mult": same.mult,
        "shift": same.shift,
        "act_min": 0,
        "act_max": _six(node, y),
    }


def _floats(graph: Graph, node: Node) -> Mapping[str, Field]:
    return {"act_max": 6.0}


def _in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro ignores that scales or zero points differ."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    return x.quantization == y.quantization


OP = table.unary(
    _relu6,
    limits="int16: input and output of one scale",
    in_micro=_in_micro,
    others={
        "int16": table.Other("rescale_s16", _sixteen_bits),
        "float32": table.Other("relu_f32", _floats),
    },
)
