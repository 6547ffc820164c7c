"""SUB with broadcasting and fused activation."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import broadcast, integers, rescaled, typed
from microwright.ops.base import Op, Step, output_tensor
from microwright.ops.quantized import Multiplier


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Of the two inputs, and of the output from their common scale. Raises UnsupportedOp unless below 1."""
    # The quotients are float32 in the reference, unlike those of ADD.
    scale1, scale2, scale = map(np.float32, rescaled.scales(graph, node))
    headroom_bits = rescaled.HEADROOM_BITS[output_tensor(graph, node).dtype]
    with np.errstate(all="ignore"):
        common = np.float32(2) * max(scale1, scale2)
        out = float(common / (np.float32(2.0**headroom_bits) * scale))
        return rescaled.multipliers(graph, node, float(scale1 / common), float(scale2 / common), out)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel."""
    suffix = broadcast.suffix(graph, node)
    if suffix == "f32":
        return (broadcast.step(graph, node, "sub_f32", typed.activation(node, output_tensor(graph, node))),)
    return (rescaled.step(graph, node, f"sub_{suffix}", _multipliers(graph, node)),)


OP = integers.also(
    Op.lowered(lower, types=typed.TYPES, kernels=typed.kernels("sub"), limits=broadcast.LIMITS)
)
