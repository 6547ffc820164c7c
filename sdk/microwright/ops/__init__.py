"""The operators: one file each, listed in OPS under the schema's name."""

from __future__ import annotations

from collections.abc import Mapping

from microwright.graph import Graph, Node
from microwright.ops import (
    average_pool_2d,
    conv_2d,
    depthwise_conv_2d,
    fully_connected,
    max_pool_2d,
    mean,
)
from microwright.ops.base import Constant, Op, Step, unsupported

__all__ = ["OPS", "Constant", "Op", "Step", "check", "get", "macs"]

OPS: Mapping[str, Op] = {
    "AVERAGE_POOL_2D": average_pool_2d.OP,
    "CONV_2D": conv_2d.OP,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.OP,
    "FULLY_CONNECTED": fully_connected.OP,
    "MAX_POOL_2D": max_pool_2d.OP,
    "MEAN": mean.OP,
}


def get(node: Node) -> Op:
    """The operator of a node. Raises UnsupportedOp where the engine has none."""
    op = OPS.get(node.op)
    if op is None:
        raise unsupported(
            node,
            "the aot engine has no kernel for this operator",
            "replace the layer by one of: " + ", ".join(sorted(OPS)),
        )
    return op


def check(graph: Graph) -> None:
    """Raise UnsupportedOp for the first node that the engine cannot compute exactly."""
    for node in graph.nodes:
        get(node).check(graph, node)


def macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference, of the operators that are known."""
    return sum(OPS[node.op].macs(graph, node) for node in graph.nodes if node.op in OPS)
