"""SUM over any axes, int8, with a rescale from the input's scale to the output's."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import reduction
from microwright.ops.base import Op, Step
from microwright.ops.quantized import per_tensor, rescale


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A call of the mean's kernel, which divides only by its multiplier."""
    x, y, reduced = reduction.operands(graph, node)
    rescaling = rescale(node, per_tensor(node, x)[0] / per_tensor(node, y)[0])
    return (reduction.sums(node, x, y, reduced, rescaling),)


OP = Op.lowered(
    lower,
    types="int8",
    kernels=("mean_s8",),
    limits="constant axes, alternating up to 3 times; up to 2^23 values",
)
