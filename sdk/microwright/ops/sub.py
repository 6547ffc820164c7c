"""SUB, int8, with broadcasting and fused activation."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import broadcast, rescaled
from microwright.ops.base import Op, Step, output_tensor
from microwright.ops.quantized import Multiplier, activation_range

# Inputs get this many more bits before they are rescaled to twice the larger of their scales.
_HEADROOM_BITS = 20


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Of the two inputs, and of the output from their common scale. Raises UnsupportedOp unless below 1."""
    # The quotients are float32 in the reference, unlike those of ADD.
    scale1, scale2, scale = map(np.float32, rescaled.scales(graph, node))
    with np.errstate(all="ignore"):
        common = np.float32(2) * max(scale1, scale2)
        out = float(common / (np.float32(2.0**_HEADROOM_BITS) * scale))
        return rescaled.multipliers(graph, node, float(scale1 / common), float(scale2 / common), out)


def check(graph: Graph, node: Node) -> None:
    """int8 operands and output, per tensor, that broadcast."""
    broadcast.check(graph, node)
    activation_range(node, output_tensor(graph, node))
    _multipliers(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    return (rescaled.step(graph, node, "sub_s8", _multipliers(graph, node)),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("sub_s8",),
    limits="operands that alternate between broadcast and not at most 4 times",
)
