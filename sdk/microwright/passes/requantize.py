"""Conversions between int8 and float32 and back, and between equal int8 quantisations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph, Node
from microwright.ops.quantized import per_tensor
from microwright.passes import edit


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
            if table is not None and np.array_equal(table, _through_floats(graph, source, node)):
                node = direct
        nodes.append(node)
    return edit.with_nodes(graph, nodes)


def _through_floats(graph: Graph, dequantize: Node, quantize: Node) -> npt.NDArray[np.int8]:
    """What becomes of -128 to 127, as the two kernels compute it in float32."""
    x_scale, x_zero_point = per_tensor(dequantize, graph.tensors[dequantize.inputs[0]])
    y_scale, y_zero_point = per_tensor(quantize, graph.tensors[quantize.outputs[0]])
    with np.errstate(over="ignore", invalid="ignore"):
        reals = np.float32(x_scale) * (np.arange(-128, 128) - x_zero_point).astype(np.float32)
        scaled = np.clip(reals / np.float32(y_scale), -256, 256).astype(np.float64)
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)
    return np.asarray(np.clip(rounded + y_zero_point, -128, 127), np.int8)


def _table(graph: Graph, node: Node) -> npt.NDArray[np.int8] | None:
    """What becomes of -128 to 127 in a QUANTIZE from int8 to int8; None for other types."""
    if graph.tensors[node.inputs[0]].dtype != "int8" or graph.tensors[node.outputs[0]].dtype != "int8":
        return None
    try:
        ops.get(node).check(graph, node)
    except UnsupportedOp:
        return None
    (step,) = ops.get(node).lower(graph, node)
    table = step.values("table")
    assert table is not None
    by_byte: npt.NDArray[np.int8] = np.asarray(table, np.uint8).view(np.int8)
    return np.roll(by_byte, 128)


def _does_nothing(graph: Graph, node: Node) -> bool:
    table = _table(graph, node) if node.op == "QUANTIZE" else None
    return table is not None and np.array_equal(table, np.arange(-128, 128))
