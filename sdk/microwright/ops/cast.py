"""CAST: numbers of one type as those of another, whatever they are quantised as.

A number that the other type has not becomes the nearest that it has; what the reference does with it depends
on the machine.
"""

from __future__ import annotations

from microwright.graph import ITEM_BYTES, DType, Graph, Node
from microwright.ops import table
from microwright.ops.base import Op, Step, input_tensor, output_tensor

# The kernel's numbers for them.
TYPES: tuple[DType, ...] = ("bool", "int8", "uint8", "int16", "int32", "float32")


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    table.check_types(node, (x, y), TYPES)
    table.check_elements(node, x, y)
    fields = {"elements": x.elements, "from": TYPES.index(x.dtype), "to": TYPES.index(y.dtype)}
    # Where elements grow, the output has caught up with the input at the end.
    growth = max(ITEM_BYTES[y.dtype] - ITEM_BYTES[x.dtype], 0)
    return (Step("cast", (x.index,), (y.index,), fields, overlap={0: growth * x.elements}),)


def in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro has no uint8, and no bool as the output."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    return "uint8" not in (x.dtype, y.dtype) and y.dtype != "bool"


OP = Op.lowered(lower, types=", ".join(TYPES), kernels=("cast",), in_micro=in_micro)
