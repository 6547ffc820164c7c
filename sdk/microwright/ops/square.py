"""SQUARE, of float32 between int8: the product of the number with itself."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import functions
from microwright.ops.base import Op, Step


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A table."""
    return (functions.step(graph, node, lambda x: x * x),)


OP = Op(
    functions.check,
    lower,
    types="int8",
    kernels=("lookup_8",),
    limits="float32 between a DEQUANTIZE and a QUANTIZE with no other reader",
)
