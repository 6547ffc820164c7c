"""SQUARED_DIFFERENCE, int8, with broadcasting."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import broadcast, rescaled
from microwright.ops.base import Op, Step
from microwright.ops.quantized import Multiplier, multiplier, rescale

# Inputs get this many more bits before they are rescaled to twice the larger of their scales.
_HEADROOM_BITS = 7


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Of the two inputs, and of the output from the square of their common scale."""
    scale1, scale2, scale = rescaled.scales(graph, node)
    common = 2 * max(scale1, scale2)
    # The reference multiplies the output's scale in float32.
    out = common * common / float(np.float32(2.0 ** (2 * _HEADROOM_BITS)) * np.float32(scale))
    return multiplier(scale1 / common), multiplier(scale2 / common), rescale(node, out)


def check(graph: Graph, node: Node) -> None:
    """int8 operands and output, per tensor, that broadcast."""
    broadcast.check(graph, node)
    _multipliers(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    return (rescaled.step(graph, node, "squared_difference_s8", _multipliers(graph, node)),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("squared_difference_s8",),
    limits="operands that alternate between broadcast and not at most 4 times",
)
