"""LOGICAL_AND and LOGICAL_OR, with broadcasting: the smaller and the larger one of 0 and 1."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, comparison, table
from microwright.ops.base import Op, Step, input_tensor, output_tensor


def op(kernel: str) -> Op:
    """An operator of two truth values by a kernel."""

    def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
        tensors = (input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node))
        table.check_types(node, tensors, ("bool",))
        return (broadcast.step(graph, node, kernel, {}),)

    return Op.lowered(
        lower,
        types="bool",
        kernels=(kernel,),
        limits="operands that alternate between broadcast and not at most 4 times",
        in_micro=comparison.in_micro,
    )
