"""MEAN: mean over any axes, with a rescale from the input's scale to the output's."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import reduction, typed
from microwright.ops.base import Op, Step
from microwright.ops.quantized import Multiplier, per_tensor, rescale


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel."""
    x, y, reduced = reduction.operands(graph, node)
    count = math.prod(x.shape[axis] for axis in reduced)

    def rescaling() -> Multiplier:
        return _mean_multiplier(rescale(node, per_tensor(node, x)[0] / per_tensor(node, y)[0]), count)

    return (reduction.sums(node, x, y, reduced, rescaling, count),)


def _mean_multiplier(scale: Multiplier, count: int) -> Multiplier:
    """scale / count, as QuantizedMeanOrSum of TensorFlow Lite rounds it: down."""
    shift = min(count.bit_length() - 1, 32, 31 + scale.shift)
    return Multiplier((scale.mult << shift) // count, scale.shift - shift)


OP = Op.lowered(
    lower,
    types=typed.TYPES,
    kernels=typed.kernels("mean"),
    limits=reduction.LIMITS,
)
