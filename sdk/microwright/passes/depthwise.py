"""Depthwise convolutions of one input channel: convolutions, for which there are faster kernels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microwright.graph import Graph, Node, Tensor


def run(graph: Graph) -> Graph:
    """The graph with such layers as CONV_2D. The sums have the same terms in the same order."""
    tensors = list(graph.tensors)
    nodes = [_converted(node, tensors) if _is_full(graph, node) else node for node in graph.nodes]
    if len(tensors) == len(graph.tensors):
        return graph
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def _is_full(graph: Graph, node: Node) -> bool:
    """Whether each of several outputs reads all channels of the input."""
    if node.op != "DEPTHWISE_CONV_2D":
        return False
    return graph.tensors[node.inputs[0]].shape[-1] == 1 < graph.tensors[node.outputs[0]].shape[-1]


def _converted(node: Node, tensors: list[Tensor]) -> Node:
    """The node as a convolution; its weights [1, height, width, channels] are added as [channels, ..., 1]."""
    weights = tensors[node.inputs[1]]
    assert weights.data is not None
    data = np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0))
    q = None if weights.quantization is None else replace(weights.quantization, axis=0)
    tensors.append(replace(weights, index=len(tensors), shape=data.shape, quantization=q, data=data))
    # Depthwise convolutions of int16 are summed in 64 bits, and so are others with this option.
    options = {name: value for name, value in node.options.items() if name != "depth_multiplier"}
    options["quantized_bias_type"] = "int64"
    inputs = (node.inputs[0], len(tensors) - 1, *node.inputs[2:])
    return replace(node, op="CONV_2D", inputs=inputs, options=options)
