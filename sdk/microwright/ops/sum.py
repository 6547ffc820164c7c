"""SUM over any axes, with a rescale from the input's scale to the output's."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import reduction, typed
from microwright.ops.base import Op, Step
from microwright.ops.quantized import Multiplier, per_tensor, rescale


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A call of the mean's kernel, which divides only by its multiplier."""
    x, y, reduced = reduction.operands(graph, node)

    def rescaling() -> Multiplier:
        return rescale(node, per_tensor(node, x)[0] / per_tensor(node, y)[0])

    return (reduction.sums(node, x, y, reduced, rescaling, count=1),)


OP = Op.lowered(
    lower,
    types=typed.TYPES,
    kernels=typed.kernels("mean"),
    limits=reduction.LIMITS,
)
