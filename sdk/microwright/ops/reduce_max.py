"""REDUCE_MAX, int8: the largest value over neighbouring axes, as a maximum pool over all of them."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import reduction
from microwright.ops.base import Op, Step, unsupported
from microwright.ops.quantized import per_tensor, require_int8


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the pool, whose image is as high as there are values to compare, and one pixel wide."""
    x, y, reduced = reduction.operands(graph, node)
    require_int8(node, x)
    if per_tensor(node, x) != per_tensor(node, y):
        raise unsupported(
            node,
            "input and output have different scales or zero points",
            "quantise the model again: the converter makes them equal",
        )
    inside = [axis for axis, size in enumerate(x.shape) if axis in reduced and size > 1] or [0]
    if any(x.shape[axis] > 1 and axis not in reduced for axis in range(inside[0], inside[-1])):
        raise unsupported(
            node, f"axes {sorted(reduced)} are not next to each other", "reduce one axis after the other"
        )
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
    kernels=("max_pool_2d_s8",),
    limits="constant axes next to each other; one scale and zero point",
)
