"""RELU6 as a node of its own: rescaled from the input's scale to the output's, then cut at 0 and 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from microwright.graph import Graph, Node
from microwright.ops import relu, table
from microwright.ops.base import Field, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import limits, multiplier, per_tensor


def _relu6(graph: Graph, node: Node) -> Callable[[int], int]:
    return relu.cut(graph, node, 0.0, 6.0)


def _sixteen_bits(graph: Graph, node: Node) -> Mapping[str, Field]:
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if per_tensor(node, x) != per_tensor(node, y):
        raise unsupported(
            node,
            "input and output of int16 have different scales",
            "fuse the ReLU6 into the layer before it, or use ReLU",
        )
    same = multiplier(1.0)
    return {
        "in_zp": 0,
        "out_zp": 0,
        "mult": same.mult,
        "shift": same.shift,
        "act_min": 0,
        "act_max": min(relu.bound(node, y, 6.0), limits(y)[1]),
    }


def _floats(graph: Graph, node: Node) -> Mapping[str, Field]:
    return {"act_max": 6.0}


OP = table.unary(
    _relu6,
    limits="int16: input and output of one scale",
    in_micro=relu.in_litert,
    others={
        "int16": table.Other("rescale_s16", _sixteen_bits),
        "float32": table.Other("relu_f32", _floats),
    },
)
