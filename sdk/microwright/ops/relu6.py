"""RELU6 as a node of its own: a clamp of the values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Field, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import limits, multiplier, per_tensor


def _range(graph: Graph, node: Node) -> tuple[int, int]:
    """The integers for 0 and 6."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    scale, zero = per_tensor(node, x)
    if per_tensor(node, y) != (scale, zero):
        raise unsupported(
            node,
            "input and output have different scales or zero points, which TensorFlow Lite Micro ignores",
            "fuse the ReLU6 into the layer before it, or use ReLU",
        )
    if 6.0 / scale > 2**30:
        raise unsupported(node, f"6 is out of range at a scale of {scale:.3g}", "check the calibration data")
    six = zero + int(float(np.float32(6.0) / np.float32(scale)) + 0.5)
    return zero, min(six, limits(x)[1])


def _relu6(graph: Graph, node: Node) -> Callable[[int], int]:
    zero, six = _range(graph, node)
    return lambda value: min(max(value, zero), six)


def _sixteen_bits(graph: Graph, node: Node) -> Mapping[str, Field]:
    low, high = _range(graph, node)
    same = multiplier(1.0)
    return {
        "in_zp": 0,
        "out_zp": 0,
        "mult": same.mult,
        "shift": same.shift,
        "act_min": low,
        "act_max": high,
    }


def _floats(graph: Graph, node: Node) -> Mapping[str, Field]:
    return {"act_max": 6.0}


OP = table.unary(
    _relu6,
    limits="input and output of one scale and zero point",
    others={
        "int16": table.Other("rescale_s16", _sixteen_bits),
        "float32": table.Other("relu_f32", _floats),
    },
)
