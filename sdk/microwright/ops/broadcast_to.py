"""BROADCAST_TO, of any type: axes of one element repeated."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import rearrange
from microwright.ops.base import Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The output's shape is in the file; the shape operand is not read."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if len(x.shape) > len(y.shape):
        raise unsupported(node, f"of {x.shape} it makes {y.shape}", "export the model again")
    shape = (1,) * (len(y.shape) - len(x.shape)) + x.shape
    places = [
        np.repeat(axis, size) if len(axis) == 1 else axis
        for axis, size in zip(rearrange.axes(shape), y.shape, strict=True)
    ]
    return (rearrange.step(node, x, y, places),)


OP = rearrange.op(lower, types="any")
