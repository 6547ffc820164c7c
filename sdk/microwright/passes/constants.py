"""Nodes whose outputs are the same in every inference: they become constants.

Operators without a kernel are among them: SHAPE, since every shape is known, FILL, RANGE, ZEROS_LIKE,
BROADCAST_ARGS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import ITEM_BYTES, Array, Graph, Node, Tensor
from microwright.ops import Step
from microwright.passes import edit, moves, points, ranges

# A constant may take so many more bytes of flash than those that it is made of.
_GROWTH_BYTES = 256


def run(graph: Graph) -> Graph:
    """The graph with such constants that are no outputs and not much larger than their operands."""
    tensors = list(graph.tensors)
    folded: list[Node] = []
    for node in graph.nodes:
        now = replace(graph, tensors=tuple(tensors)) if folded else graph
        operands = sum(
            tensors[i].size_bytes for i in set(node.inputs) if i >= 0 and tensors[i].data is not None
        )
        results = sum(tensors[i].size_bytes for i in node.outputs)
        kept = any(tensors[i].state is not None for i in node.outputs)
        if kept or set(graph.outputs) & set(node.outputs) or results > operands + _GROWTH_BYTES:
            continue
        made = values(now, node)
        if made.keys() == set(node.outputs) and all(v.size == tensors[i].elements for i, v in made.items()):
            for index, value in made.items():
                tensors[index] = replace(tensors[index], data=value.reshape(tensors[index].shape))
            folded.append(node)
    if not folded:
        return graph
    indices = {node.index for node in folded}
    others = [node for node in graph.nodes if node.index not in indices]
    return edit.with_nodes(replace(graph, tensors=tuple(tensors)), others)


def values(graph: Graph, node: Node) -> Mapping[int, Array]:
    """Values of those of a node's outputs that are known, flat."""
    y = graph.tensors[node.outputs[0]]
    inputs = [graph.tensors[i] for i in node.inputs if i >= 0]
    if node.op == "SHAPE" and len(inputs) == 1:
        return {y.index: np.array(inputs[0].shape, y.dtype)}
    if node.op == "FILL" and len(inputs) == 2 and inputs[1].elements == 1 and inputs[1].data is not None:
        return {y.index: np.full(y.elements, inputs[1].data.reshape(-1)[0])}
    if node.op == "ZEROS_LIKE":
        return {y.index: np.zeros(y.elements, y.dtype)}
    if any(tensor.data is None for tensor in inputs):
        return {}
    if node.op in _OF_CONSTANTS:
        made = _OF_CONSTANTS[node.op](y, *(_data(tensor) for tensor in inputs))
        return {} if made is None else {y.index: made.astype(y.dtype)}
    op = ops.OPS.get(node.op)
    if op is None:
        return {}
    try:
        op.check(graph, node)
    except UnsupportedOp:
        return {}
    if op.alias:
        return {y.index: _data(inputs[0])}
    steps = op.lower(graph, node)
    return _moved(graph, node, steps) or _computed(graph, node, steps)


def _range(y: Tensor, *operands: Array) -> Array | None:
    """From the first number on, by steps, to the second one, which is not reached."""
    if [x.size for x in operands] != [1, 1, 1]:
        return None
    start, limit, step = (x.item() for x in operands)
    if not step or math.ceil((limit - start) / step) != y.elements:
        return None
    return np.asarray(start + step * np.arange(y.elements))


def _broadcast(y: Tensor, *shapes: Array) -> Array | None:
    """The shape that tensors of two shapes have together."""
    try:
        made = np.broadcast_shapes(*(tuple(shape.tolist()) for shape in shapes))
    except ValueError:
        return None
    return np.array(made) if len(made) == y.elements else None


_OF_CONSTANTS: Mapping[str, Callable[..., Array | None]] = {"BROADCAST_ARGS": _broadcast, "RANGE": _range}


def _moved(graph: Graph, node: Node, steps: tuple[Step, ...]) -> Mapping[int, Array]:
    """Outputs of a node that only moves elements, of any type."""
    outputs = {i: np.zeros(graph.tensors[i].elements, graph.tensors[i].dtype) for i in node.outputs}
    for step in steps:
        x, y = graph.tensors[step.inputs[0]], outputs[step.outputs[0]]
        move = moves.of(step, ITEM_BYTES[x.dtype])
        if move is None:
            return {}
        y[move.to] = np.where(move.source < 0, move.value, _data(x)[move.source])
    return outputs


def _data(tensor: Tensor) -> Array:
    assert tensor.data is not None
    return tensor.data.reshape(-1)


def _computed(graph: Graph, node: Node, steps: tuple[Step, ...]) -> Mapping[int, Array]:
    """Outputs of one call, by what its kernel does, or int8 by the arithmetic of their bounds."""
    if len(steps) == 1:
        operands = tuple(_data(graph.tensors[i]) for i in steps[0].inputs)
        made = points.of(steps[0], operands, graph.tensors[node.outputs[0]].dtype)
        if made is not None:
            return {node.outputs[0]: made}
    bounds = ranges.of(replace(graph, nodes=(node,))) or {}
    return {
        index: bounds[index].low.astype(np.int8)
        for index in node.outputs
        if index in bounds and (bounds[index].low == bounds[index].high).all()
    }
