"""SQRT, int8: rounded towards the zero point; of negative values, the smallest output.

The reference stops at values below zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import functions, table
from microwright.ops.base import input_tensor, output_tensor
from microwright.ops.quantized import per_tensor


def _sqrt(graph: Graph, node: Node) -> Callable[[int], int]:
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))

    def sqrt(value: int) -> int:
        if value < x_zero_point:
            return -128
        with np.errstate(all="ignore"):
            root = np.sqrt(np.float32(x_scale) * np.float32(value - x_zero_point))
            scaled = root / np.float32(y_scale)
        # Beyond 255, every zero point saturates the output.
        return y_zero_point + int(min(float(scaled), 256.0))

    return sqrt


OP = table.unary(
    _sqrt,
    check=functions.check,
    limits="the reference stops at values below 0, which are the smallest output here",
    in_micro=functions.in_litert,
)
