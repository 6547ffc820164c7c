"""RELU6 as a node of its own, int8: a clamp of the integer values."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Op, Step, input_tensor, unsupported
from microwright.ops.quantized import per_tensor


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, of one scale and zero point: the reference interpreter does not rescale here."""
    x, y = table.check_unary(graph, node)
    if per_tensor(node, x) != per_tensor(node, y):
        raise unsupported(
            node,
            "input and output have different scales or zero points, which TensorFlow Lite Micro ignores",
            "fuse the ReLU6 into the layer before it, or use ReLU",
        )
    scale, _ = per_tensor(node, x)
    if 6.0 / scale > 2**30:
        raise unsupported(node, f"6 is out of range at a scale of {scale:.3g}", "check the calibration data")


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    scale, zero = per_tensor(node, input_tensor(graph, node, 0))
    six = min(zero + int(float(np.float32(6.0) / np.float32(scale)) + 0.5), 127)
    return (table.step(graph, node, lambda x: min(max(x, zero), six)),)


OP = Op(
    check, lower, types="int8", kernels=("lookup_8",), limits="input and output of one scale and zero point"
)
