"""Remove nodes whose outputs nobody reads."""

from __future__ import annotations

from dataclasses import replace

from microwright.graph import Graph, Node


def run(graph: Graph) -> Graph:
    """The graph without nodes that no output depends on."""
    needed = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    if len(kept) == len(graph.nodes):
        return graph
    return replace(graph, nodes=tuple(reversed(kept)))
