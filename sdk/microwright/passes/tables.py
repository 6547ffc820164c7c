"""Whatever is made of one int8 tensor element by element: a table of all 256 results.

So layers that are written with many operators (SELU, softplus, swish, hard shrink) take one call, and
functions that the converter leaves in float32 need none in float32. Exact, because each of the 256 values
goes through the same arithmetic, here instead of on the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from microwright import ops
from microwright.graph import Array, Graph, Node, Tensor
from microwright.passes import constants, edit, reals

# What costs nothing, and what other passes remove.
_SHAPES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_FORMS = _SHAPES | {"DEQUANTIZE", "QUANTIZE"}
_ELEMENTWISE = (
    reals.NAMES
    | _FORMS
    | {"CAST", "GELU", "HARD_SWISH", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC"}
    | {"PRELU", "RELU_0_TO_1", ops.LOOKUP}
)


@dataclass(frozen=True, eq=False)
class _Function:
    """A tensor as a function of another one: its values for -128 to 127, the longest way to it in operators
    that compute something, and whether any of them is no conversion, and takes floats.
    """

    root: int
    values: Array
    operators: int = 0
    computes: bool = False
    takes_floats: bool = False


def run(graph: Graph) -> Graph:
    """The graph with a table for each int8 tensor that two nodes or more make of another one."""
    return _rewritten(graph, only_floats=False)


def without_floats(graph: Graph) -> Graph:
    """The graph with such tables for what takes float32, which has to go before kernels are asked for."""
    return _rewritten(graph, only_floats=True)


def _rewritten(graph: Graph, *, only_floats: bool) -> Graph:
    functions: dict[int, _Function] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        function = _of(graph, node, functions) if node.op in _ELEMENTWISE else None
        if function is not None:
            functions[node.outputs[0]] = function
            if not only_floats or function.takes_floats:
                node = _shortened(graph, node, function)
        nodes.append(node)
    return edit.with_nodes(graph, nodes)


def _shortened(graph: Graph, node: Node, function: _Function) -> Node:
    """The node as a table, where that saves others; conversions and shapes alone are for other passes."""
    if graph.tensors[node.outputs[0]].dtype != "int8" or function.operators < 2 or not function.computes:
        return node
    table = np.roll(function.values.view(np.uint8), 128)
    return replace(node, op=ops.LOOKUP, inputs=(function.root,), options={"table": tuple(table.tolist())})


def _of(graph: Graph, node: Node, functions: Mapping[int, _Function]) -> _Function | None:
    """What the node computes, where all of it comes from one int8 tensor."""
    if len(node.outputs) != 1 or min(node.inputs, default=-1) < 0:
        return None
    y = graph.tensors[node.outputs[0]]
    if ops.OPS[node.op].alias:
        node = replace(node, inputs=node.inputs[:1])
    operands: list[Tensor] = []
    used: list[_Function] = []
    for x in (graph.tensors[i] for i in node.inputs):
        known = _uniform(x) if x.data is not None else functions.get(x.index, _itself(x))
        if isinstance(known, _Function):
            if x.elements != y.elements:
                return None
            used.append(known)
            known = known.values
        if known is None:
            return None
        operands.append(replace(x, shape=known.shape, data=known))
    if len({function.root for function in used}) != 1:
        return None
    values = _values(graph, node, operands)
    # The node may be one that is refused later, with an output of a type that it cannot have.
    if values is None or values.shape != (256,) or values.dtype != y.dtype:
        return None
    computes = node.op not in _FORMS
    return _Function(
        root=used[0].root,
        values=values,
        operators=max(function.operators for function in used) + (node.op not in _SHAPES),
        computes=computes or any(function.computes for function in used),
        takes_floats=(computes and any(x.dtype == "float32" for x in operands))
        or any(function.takes_floats for function in used),
    )


def _itself(tensor: Tensor) -> _Function | None:
    if tensor.dtype != "int8":
        return None
    return _Function(tensor.index, np.arange(-128, 128).astype(np.int8))


def _uniform(tensor: Tensor) -> Array | None:
    """The value that all elements of a constant have."""
    assert tensor.data is not None
    values = tensor.data.reshape(-1)
    # By the bytes: 0 and -0 are other divisors.
    return values[0] if values.size and values.tobytes() == values[:1].tobytes() * values.size else None


def _values(graph: Graph, node: Node, operands: list[Tensor]) -> Array | None:
    arrays = tuple(np.asarray(x.data) for x in operands)
    made = reals.of(node, arrays)
    if made is not None:
        return made
    if ops.OPS[node.op].alias:
        return arrays[0]
    # The node alone, in a graph of its own: copies of long graphs for each of their nodes take long.
    count = len(operands)
    tensors = [*operands, replace(graph.tensors[node.outputs[0]], shape=(256,))]
    alone = replace(graph, tensors=tuple(replace(x, index=i) for i, x in enumerate(tensors)))
    return constants.values(alone, replace(node, inputs=tuple(range(count)), outputs=(count,))).get(count)
