"""PACK, of any type: the inputs one after the other along a new axis."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import concatenation, window
from microwright.ops.base import Op, Step, axis_of, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One strided copy an input."""
    y = output_tensor(graph, node)
    axis = axis_of(node, window.option(node, "axis"), len(y.shape))
    inputs = [input_tensor(graph, node, position) for position in range(max(1, len(node.inputs)))]
    for x in inputs:
        expected = (*x.shape[:axis], len(inputs), *x.shape[axis:])
        if x.dtype != y.dtype or y.shape != expected:
            raise unsupported(
                node,
                f"input {x.name[:80]!r} is {x.dtype} {x.shape}, which does not fit {y.dtype} {y.shape}",
                "export the model again",
            )
    return concatenation.side_by_side(inputs, y, math.prod(y.shape[:axis]))


OP = Op.lowered(lower, types="any", kernels=("concatenation",))
