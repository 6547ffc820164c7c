"""ADD, int8, with broadcasting and fused activation."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, rescaled
from microwright.ops.base import Op, Step, output_tensor
from microwright.ops.quantized import Multiplier, activation_range

# Inputs get this many more bits before they are rescaled to twice the larger of their scales.
_HEADROOM_BITS = 20


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Of the two inputs, and of the output from their common scale. Raises UnsupportedOp unless below 1."""
    scale1, scale2, scale = rescaled.scales(graph, node)
    common = 2 * max(scale1, scale2)
    out = common / (2.0**_HEADROOM_BITS * scale)
    return rescaled.multipliers(graph, node, scale1 / common, scale2 / common, out)


def check(graph: Graph, node: Node) -> None:
    """int8 operands and output, per tensor, that broadcast."""
    broadcast.check(graph, node)
    activation_range(node, output_tensor(graph, node))
    _multipliers(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    return (rescaled.step(graph, node, "add_s8", _multipliers(graph, node)),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("add_s8",),
    limits="operands that alternate between broadcast and not at most 4 times",
)
