"""SQRT, of float32 between int8: what is negative becomes the smallest output."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import functions
from microwright.ops.base import Op, Step, unsupported


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, but made of float32."""
    functions.check(graph, node)
    if not node.options.get(functions.FLOATS):
        raise unsupported(
            node, "it is int8 from the converter, which has its own rounding", "use rsqrt, times the tensor"
        )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    return (functions.step(graph, node, lambda x: math.sqrt(x) if x >= 0 else math.nan),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("lookup_8",),
    limits="float32 between a DEQUANTIZE and a QUANTIZE with no other reader",
)
