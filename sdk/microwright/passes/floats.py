"""Functions in float32 between a DEQUANTIZE and a QUANTIZE: one node from int8 to int8, which is a table.

So the converter leaves functions that it has no int8 form of. Exact, because the table goes the same way for
each of the 256 values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from microwright.graph import Graph, Node
from microwright.ops import functions
from microwright.passes import edit

_FUNCTIONS = frozenset({"ELU", "EXP", "LOG", "NEG", "SQRT", "SQUARE"})


def run(graph: Graph) -> Graph:
    """The graph with such functions of int8; those with other readers stay."""
    writers, reads = edit.writers(graph), edit.reads(graph)
    nodes: dict[int, Node] = {node.index: node for node in graph.nodes}
    for node in graph.nodes:
        function = _writer(writers, node) if node.op == "QUANTIZE" else None
        if function is None or function.op not in _FUNCTIONS or reads[node.inputs[0]] > 1:
            continue
        source = _writer(writers, function)
        if source is None or source.op != "DEQUANTIZE" or len(source.inputs) != 1:
            continue
        if {graph.tensors[i].dtype for i in (source.inputs[0], node.outputs[0])} == {"int8"}:
            options = {**function.options, functions.FLOATS: True}
            nodes[function.index] = replace(
                function, inputs=source.inputs, outputs=node.outputs, options=options
            )
            del nodes[node.index]
    return edit.with_nodes(graph, [nodes[node.index] for node in graph.nodes if node.index in nodes])


def _writer(writers: Mapping[int, Node], node: Node) -> Node | None:
    """What computes the node's operand, of which it should have one."""
    return writers.get(node.inputs[0]) if len(node.inputs) == 1 else None
