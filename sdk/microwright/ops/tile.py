"""TILE, of any type: the tensor again and again along its axes."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import rearrange
from microwright.ops.base import Step, input_tensor, never, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The output's shape is in the file; the operand of multiples is not read."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if len(x.shape) != len(y.shape) or any(n == 0 or m % n for n, m in zip(x.shape, y.shape, strict=True)):
        raise unsupported(node, f"{y.shape} is not a multiple of {x.shape}", "export the model again")
    places = [
        np.tile(axis, size // len(axis)) for axis, size in zip(rearrange.axes(x.shape), y.shape, strict=True)
    ]
    return (rearrange.step(node, x, y, places),)


OP = rearrange.op(lower, in_micro=never, types="any")
