"""RELU6 as a node of its own, int8: a clamp of the integer values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


def _relu6(graph: Graph, node: Node) -> Callable[[int], int]:
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
    six = min(zero + int(float(np.float32(6.0) / np.float32(scale)) + 0.5), 127)
    return lambda value: min(max(value, zero), six)


OP = table.unary(_relu6, limits="input and output of one scale and zero point")
