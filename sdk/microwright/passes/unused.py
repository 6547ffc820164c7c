"""Remove nodes whose outputs nobody reads."""

from __future__ import annotations

from dataclasses import replace

from microwright.graph import Graph, Node

# Their further operands say the output's shape, which the file has.
_SHAPED = frozenset({"BROADCAST_TO", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TILE"})


def run(graph: Graph) -> Graph:
    """The graph without nodes that no output or variable depends on, and without shapes that are computed."""
    needed = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed([_without_shape(graph, node) for node in graph.nodes]):
        if needed.intersection(node.outputs) or any(graph.tensors[i].state is not None for i in node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    nodes = tuple(reversed(kept))
    return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def _without_shape(graph: Graph, node: Node) -> Node:
    if node.op in _SHAPED and any(i >= 0 and graph.tensors[i].data is None for i in node.inputs[1:]):
        return replace(node, inputs=node.inputs[:1])
    return node
