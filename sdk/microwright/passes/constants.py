"""Nodes whose operands are all constant: their output becomes a constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microwright.graph import Graph, Node
from microwright.passes import edit, ranges

# A constant may take so many more bytes of flash than those that it is made of.
_GROWTH_BYTES = 256


def run(graph: Graph) -> Graph:
    """The graph with such constants of int8 that are no outputs and not much larger than their operands."""
    tensors = list(graph.tensors)
    constant = _constant_nodes(graph)
    bounds = ranges.of(replace(graph, nodes=tuple(constant))) if constant else None
    folded: list[Node] = []
    for node in constant:
        y = tensors[node.outputs[0]]
        if bounds is None or y.index not in bounds:
            continue
        low, high = bounds[y.index]
        operand_bytes = sum(tensors[i].size_bytes for i in set(node.inputs) if i >= 0)
        if (low == high).all() and y.size_bytes <= operand_bytes + _GROWTH_BYTES:
            tensors[y.index] = replace(y, data=low.astype(np.int8))
            folded.append(node)
    if not folded:
        return graph
    others = [node for node in graph.nodes if node not in folded]
    return edit.with_nodes(replace(graph, tensors=tuple(tensors)), others)


def _constant_nodes(graph: Graph) -> list[Node]:
    known = {tensor.index for tensor in graph.tensors if tensor.data is not None} | {-1}
    nodes: list[Node] = []
    for node in graph.nodes:
        if known.issuperset(node.inputs) and node.outputs[0] not in graph.outputs:
            nodes.append(node)
            known.update(node.outputs)
    return nodes
