"""REDUCE_MAX, int8: the largest value over any axes; a maximum pool where they are neighbours."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import reduction
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The pool's image is as high as there are values to compare, and one pixel wide."""
    x, y, reduced = reduction.operands(graph, node, "int8")
    reduction.check_scales(node, x, y)
    inside = [axis for axis, size in enumerate(x.shape) if axis in reduced and size > 1] or [0]
    if any(x.shape[axis] > 1 and axis not in reduced for axis in range(inside[0], inside[-1])):
        return (reduction.extremum(graph, node, "int8", flip=0),)
    count = math.prod(x.shape[axis] for axis in reduced)
    batches = math.prod(x.shape[: inside[0]]) if count > 1 else 1
    channels = x.elements // batches // count
    fields = {
        "batches": batches,
        "in_h": count,
        "in_w": 1,
        "channels": channels,
        "out_h": 1,
        "out_w": 1,
        "filter_h": count,
        "filter_w": 1,
        "stride_h": 1,
        "stride_w": 1,
        "pad_top": 0,
        "pad_left": 0,
        "act_min": -128,
        "act_max": 127,
    }
    # A value is written when all those of its channel have been read, and nothing before it is read again.
    return (Step("max_pool_2d_s8", (x.index,), (y.index,), fields, overlap={0: 0}),)


OP = Op.lowered(
    lower,
    types="int8",
    kernels=("max_pool_2d_s8", "reduce_max_s8"),
    limits="constant axes, alternating up to 3 times; one scale and zero point",
)
