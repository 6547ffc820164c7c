"""Conversions between int8 and float32 and back, and between equal int8 quantisations."""

from __future__ import annotations

import numpy as np

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Array, Graph, Node
from microwright.passes import edit, points


def run(graph: Graph) -> Graph:
    """The graph with one QUANTIZE for a DEQUANTIZE and a QUANTIZE, and without a QUANTIZE that does nothing.

    A DEQUANTIZE with other readers stays.
    """
    return edit.without(_without_floats(graph), _does_nothing)


def _without_floats(graph: Graph) -> Graph:
    writers = edit.writers(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        source = writers.get(node.inputs[0])
        if node.op == "QUANTIZE" and source is not None and source.op == "DEQUANTIZE":
            direct = edit.read_instead(node, node.inputs[0], source.inputs[0])
            table = _table(graph, direct)
            through = None if table is None else _through_floats(graph, source, node)
            if table is not None and through is not None and np.array_equal(table, through):
                node = direct
        nodes.append(node)
    return edit.with_nodes(graph, nodes)


def _through_floats(graph: Graph, *conversions: Node) -> Array | None:
    """What becomes of -128 to 127, as the two kernels compute it in float32."""
    values: Array = np.arange(-128, 128).astype(np.int8)
    for node in conversions:
        (step,) = ops.get(node).lower(graph, node)
        made = points.of(step, (values,), graph.tensors[node.outputs[0]].dtype)
        if made is None:
            return None
        values = made
    return values


def _table(graph: Graph, node: Node) -> Array | None:
    """What becomes of -128 to 127 in a QUANTIZE from int8 to int8; None for other types."""
    if graph.tensors[node.inputs[0]].dtype != "int8" or graph.tensors[node.outputs[0]].dtype != "int8":
        return None
    try:
        ops.get(node).check(graph, node)
    except UnsupportedOp:
        return None
    (step,) = ops.get(node).lower(graph, node)
    return points.of(step, (np.arange(-128, 128).astype(np.int8),), "int8")


def _does_nothing(graph: Graph, node: Node) -> bool:
    table = _table(graph, node) if node.op == "QUANTIZE" else None
    return table is not None and np.array_equal(table, np.arange(-128, 128))
