"""ReLUs as nodes of their own: the layer in front clamps its outputs instead.

Exact where the ReLU keeps its input's scale and zero point, so that it is a clamp of integers, and where the
layer has an activation with the bounds that result.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph, Node
from microwright.ops.quantized import activation_range
from microwright.passes import edit

_CLAMPS = frozenset({"RELU", "RELU6"})
_LAYERS = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL"}
    | {"SUB"}
)
_ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def run(graph: Graph) -> Graph:
    """The graph without the ReLUs that the layers in front of them can do."""
    reads = edit.reads(graph)
    nodes: dict[int, Node] = {}
    writers: dict[int, int] = {}
    for node in graph.nodes:
        fused = None
        if node.op in _CLAMPS and reads[node.inputs[0]] == 1 and node.inputs[0] in writers:
            layer = nodes[writers[node.inputs[0]]]
            fused = _fused(graph, layer, node) if layer.op in _LAYERS else None
        kept = node if fused is None else fused
        nodes[kept.index] = kept
        writers.update(dict.fromkeys(kept.outputs, kept.index))
    return graph if len(nodes) == len(graph.nodes) else replace(graph, nodes=tuple(nodes.values()))


def _fused(graph: Graph, layer: Node, clamp: Node) -> Node | None:
    x, y = graph.tensors[clamp.inputs[0]], graph.tensors[clamp.outputs[0]]
    if x.dtype != "int8":
        return None
    if x.shape != y.shape or not edit.same_values(graph, x.index, y.index):
        return None
    low, high = _bounds(graph, clamp)
    wanted = tuple(min(max(bound, low), high) for bound in activation_range(layer, x))
    for activation in _ACTIVATIONS:
        options = {**layer.options, "fused_activation_function": activation}
        fused = replace(layer, outputs=clamp.outputs, options=options)
        try:
            if activation_range(fused, y) == wanted:
                return fused
        except UnsupportedOp:
            continue
    return None


def _bounds(graph: Graph, clamp: Node) -> tuple[int, int]:
    """The clamp's smallest and largest value."""
    (step,) = ops.get(clamp).lower(graph, clamp)
    table = step.values("table")
    assert table is not None
    values = table.astype(np.uint8).view(np.int8)
    return int(values.min()), int(values.max())
