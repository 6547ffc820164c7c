"""RESHAPE, SQUEEZE, EXPAND_DIMS: other names for the same bytes."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported


def check(graph: Graph, node: Node) -> None:
    """Any type; as many bytes out as in. The output's shape is in the file; a shape operand is not read."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if x.dtype != y.dtype or x.elements != y.elements:
        raise unsupported(
            node,
            f"input is {x.dtype} {x.shape}, output {y.dtype} {y.shape}",
            "export the model again",
        )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """Nothing to do."""
    return ()


OP = Op(check, lower, alias=True, types="any")
