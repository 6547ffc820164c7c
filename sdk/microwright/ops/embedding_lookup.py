"""EMBEDDING_LOOKUP, of any type: rows by int32 indices."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import picked
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The indices are the first operand."""
    indices, x, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    if (indices.shape + x.shape[1:], x.dtype) != (y.shape, y.dtype) or not x.shape:
        raise unsupported(
            node,
            f"of {x.dtype} {x.shape} and indices {indices.shape} it makes {y.dtype} {y.shape}",
            "export the model again",
        )
    run = math.prod(x.shape[1:])
    return (picked.step(node, x, indices, y, batches=1, outer=1, extents=x.shape[:1], run=run),)


OP = Op.lowered(
    lower,
    types="any, by int32",
    kernels=("gather",),
    limits="indices outside of the table give bytes of 0",
    in_micro=picked.in_micro,
)
