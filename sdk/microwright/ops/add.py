"""ADD with broadcasting and fused activation."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, integers, rescaled, typed
from microwright.ops.base import Op, Step, output_tensor
from microwright.ops.quantized import Multiplier


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Of the two inputs, and of the output from their common scale. Raises UnsupportedOp unless below 1."""
    scale1, scale2, scale = rescaled.scales(graph, node)
    common = 2 * max(scale1, scale2)
    headroom_bits = rescaled.HEADROOM_BITS[output_tensor(graph, node).dtype]
    out = common / (2.0**headroom_bits * scale)
    return rescaled.multipliers(graph, node, scale1 / common, scale2 / common, out)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel."""
    suffix = broadcast.suffix(graph, node)
    if suffix == "f32":
        return (broadcast.step(graph, node, "add_f32", typed.activation(node, output_tensor(graph, node))),)
    return (rescaled.step(graph, node, f"add_{suffix}", _multipliers(graph, node)),)


OP = integers.also(
    Op.lowered(lower, types=typed.TYPES, kernels=typed.kernels("add"), limits=broadcast.LIMITS)
)
