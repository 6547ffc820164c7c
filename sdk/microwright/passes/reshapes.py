"""Reshapes that need no node: to the same shape, before another reshape, before a fully connected layer."""

from __future__ import annotations

from microwright import ops
from microwright.graph import Graph, Node
from microwright.passes import edit

# They read the elements of their input in order, whatever its shape.
_SHAPELESS = frozenset({"EXPAND_DIMS", "FULLY_CONNECTED", "RESHAPE", "SQUEEZE"})


def run(graph: Graph) -> Graph:
    """The graph without these reshapes; those with other readers stay."""
    writers = edit.writers(graph)
    nodes = [_before_reshape(graph, node, writers.get(node.inputs[0])) for node in graph.nodes]
    return edit.without(edit.with_nodes(graph, nodes), lambda _, node: ops.get(node).alias)


def _before_reshape(graph: Graph, node: Node, reshape: Node | None) -> Node:
    if node.op not in _SHAPELESS or reshape is None or not ops.get(reshape).alias:
        return node
    x, y = reshape.inputs[0], reshape.outputs[0]
    return edit.read_instead(node, y, x) if edit.same_values(graph, x, y) else node
