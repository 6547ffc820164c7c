"""GATHER_ND, of any type: slices, each by an index with a number for each of the first axes."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import picked
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x, indices, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= min(len(x.shape), picked.DEPTH):
        raise unsupported(
            node, f"indices of {depth} numbers into {len(x.shape)} dimensions", f"use 1 to {picked.DEPTH}"
        )
    shape = indices.shape[:-1] + x.shape[depth:]
    if shape != y.shape or x.dtype != y.dtype:
        raise unsupported(
            node,
            f"of {x.dtype} {x.shape} it makes {shape}, its output is {y.dtype} {y.shape}",
            "export the model again",
        )
    run = math.prod(x.shape[depth:])
    return (picked.step(node, x, indices, y, batches=1, outer=1, extents=x.shape[:depth], run=run),)


OP = Op.lowered(
    lower,
    types="any, by int32",
    kernels=("gather",),
    limits="indices of up to 5 numbers; outside of the tensor, they give bytes of 0",
    in_micro=picked.in_micro,
)
