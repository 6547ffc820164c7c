"""SELECT_V2 and SELECT, of any type: of two operands the one that a truth value says, with broadcasting."""

from __future__ import annotations

from microwright.graph import ITEM_BYTES, Graph, Node
from microwright.ops import broadcast, table
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The truth values of SELECT may be of the first axis alone."""
    condition, a, b = (input_tensor(graph, node, i) for i in range(3))
    y = output_tensor(graph, node)
    table.check_types(node, (condition,), ("bool",))
    table.check_types(node, (a, b), (y.dtype,))
    if len({tensor.quantization for tensor in (a, b, y)}) > 1:
        raise unsupported(
            node,
            "operands and output have different scales or zero points",
            "quantise the model again: the converter makes them equal",
        )
    truths = condition.shape
    if node.op == "SELECT" and len(truths) == 1 < len(a.shape):
        truths += (1,) * (len(a.shape) - 1)
    extents, strides = broadcast.loops(node, (truths, a.shape, b.shape), y.shape)
    fields: dict[str, Field] = {
        "extents": extents,
        "strides": strides[0],
        "strides1": strides[1],
        "strides2": strides[2],
        "item_bytes": ITEM_BYTES[y.dtype],
    }
    # An element is written when those that it is made of have been read.
    overlap = {i: 0 for i, x in enumerate((condition, a, b)) if x.size_bytes == y.size_bytes}
    return (Step("select", (condition.index, a.index, b.index), (y.index,), fields, overlap=overlap),)


def in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro has no SELECT, and SELECT_V2 of int8, int16 and float32 only."""
    types = ("int8", "int16", "float32")
    return node.op == "SELECT_V2" and output_tensor(graph, node).dtype in types


OP = Op.lowered(
    lower,
    types="bool and any to any",
    kernels=("select",),
    limits="operands and output of one scale and zero point; that alternate between broadcast and not "
    "at most 4 times",
    in_micro=in_micro,
)
