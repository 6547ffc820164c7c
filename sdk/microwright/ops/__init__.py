"""The operators: one file each, listed in OPS under the schema's name."""

from __future__ import annotations

from collections.abc import Mapping

from microwright.graph import Graph, Node
from microwright.ops import (
    abs,
    add,
    average_pool_2d,
    concatenation,
    conv_2d,
    depthwise_conv_2d,
    dequantize,
    elu,
    fully_connected,
    hard_swish,
    leaky_relu,
    logistic,
    max_pool_2d,
    maximum,
    mean,
    minimum,
    mul,
    pad,
    prelu,
    quantize,
    relu,
    relu6,
    reshape,
    rsqrt,
    softmax,
    squared_difference,
    sub,
    tanh,
)
from microwright.ops.base import Constant, Op, Step, unsupported

__all__ = ["OPS", "Constant", "Op", "Step", "check", "get", "macs"]

OPS: Mapping[str, Op] = {
    "ABS": abs.OP,
    "ADD": add.OP,
    "AVERAGE_POOL_2D": average_pool_2d.OP,
    "CONCATENATION": concatenation.OP,
    "CONV_2D": conv_2d.OP,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.OP,
    "DEQUANTIZE": dequantize.OP,
    "ELU": elu.OP,
    "EXPAND_DIMS": reshape.OP,
    "FULLY_CONNECTED": fully_connected.OP,
    "HARD_SWISH": hard_swish.OP,
    "LEAKY_RELU": leaky_relu.OP,
    "LOGISTIC": logistic.OP,
    "MAXIMUM": maximum.OP,
    "MAX_POOL_2D": max_pool_2d.OP,
    "MEAN": mean.OP,
    "MINIMUM": minimum.OP,
    "MUL": mul.OP,
    "PAD": pad.OP,
    "PADV2": pad.OP,
    "PRELU": prelu.OP,
    "QUANTIZE": quantize.OP,
    "RELU": relu.OP,
    "RELU6": relu6.OP,
    "RESHAPE": reshape.OP,
    "RSQRT": rsqrt.OP,
    "SOFTMAX": softmax.OP,
    "SQUARED_DIFFERENCE": squared_difference.OP,
    "SQUEEZE": reshape.OP,
    "SUB": sub.OP,
    "TANH": tanh.OP,
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
