"""Arithmetic of int32, which models do with indices and counts: ADD, SUB, MUL, MAXIMUM and MINIMUM of it."""

from __future__ import annotations

from dataclasses import replace

from microwright.graph import Graph, Node
from microwright.ops import broadcast, table
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported

# In the order of the kernel's numbers.
_OPERATIONS = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")


def also(op: Op) -> Op:
    """An operator of two int8 tensors, which takes int32 as well."""

    def check(graph: Graph, node: Node) -> None:
        if _is_int32(graph, node):
            _lower(graph, node)
        else:
            op.check(graph, node)

    def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
        return _lower(graph, node) if _is_int32(graph, node) else op.lower(graph, node)

    return replace(
        op, check=check, lower=lower, types=f"{op.types}, or int32", kernels=(*op.kernels, "arithmetic_s32")
    )


def _is_int32(graph: Graph, node: Node) -> bool:
    return bool(node.outputs) and graph.tensors[node.outputs[0]].dtype == "int32"


def _lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    tensors = (input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node))
    table.check_types(node, tensors, ("int32",))
    if node.options.get("fused_activation_function", "NONE") != "NONE":
        raise unsupported(node, "a fused activation of int32", "use a separate activation layer")
    return (broadcast.step(graph, node, "arithmetic_s32", {"operation": _OPERATIONS.index(node.op)}),)
