"""MAXIMUM and MINIMUM up to their kernels' names, with broadcasting."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast
from microwright.ops.base import input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


def check(graph: Graph, node: Node) -> None:
    """Operands and output of one type, scale and zero point: integers are compared as they are."""
    suffix = broadcast.suffix(graph, node)
    broadcast.nest(graph, node)
    if suffix == "f32":
        return
    y = per_tensor(node, output_tensor(graph, node))
    if any(per_tensor(node, input_tensor(graph, node, i)) != y for i in range(2)):
        raise unsupported(
            node,
            "operands and output have different scales or zero points",
            "quantise the model again: the converter makes them equal",
        )
