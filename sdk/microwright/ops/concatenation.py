"""CONCATENATION along any axis, of any type: one copy an input."""

from __future__ import annotations

import math
from collections.abc import Sequence

from microwright.graph import Graph, Node, Tensor
from microwright.ops import base, window
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported


def axis_of(graph: Graph, node: Node) -> int:
    """The axis of the output that the inputs follow each other on, from 0."""
    return base.axis_of(node, window.option(node, "axis"), len(output_tensor(graph, node).shape))


def check(graph: Graph, node: Node) -> None:
    """Shapes that fit together, one type, and for quantised tensors one scale and zero point."""
    y = output_tensor(graph, node)
    axis = axis_of(graph, node)
    inputs = [input_tensor(graph, node, position) for position in range(max(1, len(node.inputs)))]
    total = 0
    for x in inputs:
        expected = (*y.shape[:axis], x.shape[axis] if axis < len(x.shape) else 0, *y.shape[axis + 1 :])
        if x.dtype != y.dtype or x.shape != expected:
            raise unsupported(
                node,
                f"input {x.name[:80]!r} is {x.dtype} {x.shape}, which does not fit {y.dtype} {y.shape}",
                "export the model again",
            )
        if y.dtype in ("int8", "int16") and _quantization(graph, x.index) != _quantization(graph, y.index):
            raise unsupported(
                node,
                f"input {x.name[:80]!r} has another scale or zero point than the output",
                "quantise the model again: the converter makes them equal",
            )
        total += x.shape[axis]
    if total != y.shape[axis]:
        raise unsupported(
            node,
            f"inputs add up to {total} along axis {axis}, the output has {y.shape[axis]}",
            "export the model again",
        )
    activation = node.options.get("fused_activation_function", "NONE")
    if activation != "NONE":
        raise unsupported(node, f"fused activation {activation}", "use a separate activation layer")


def _quantization(graph: Graph, tensor: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    q = graph.tensors[tensor].quantization
    return ((), ()) if q is None else (q.scales, q.zero_points)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One strided copy an input."""
    y = output_tensor(graph, node)
    inputs = [graph.tensors[index] for index in node.inputs]
    return side_by_side(inputs, y, math.prod(y.shape[: axis_of(graph, node)]))


def side_by_side(inputs: Sequence[Tensor], y: Tensor, rows: int) -> tuple[Step, ...]:
    """One strided copy an input: row i of the output is made of the rows i of all inputs."""
    out_row_bytes = y.size_bytes // max(rows, 1)
    steps: list[Step] = []
    offset_bytes = 0
    for x in inputs:
        row_bytes = x.size_bytes // max(rows, 1)
        fields = {
            "rows": rows,
            "row_bytes": row_bytes,
            "out_row_bytes": out_row_bytes,
            "offset_bytes": offset_bytes,
        }
        # Each row moves down to its place, as long as the last one does: the others move farther.
        distance = offset_bytes + (rows - 1) * (out_row_bytes - row_bytes)
        steps.append(Step("concatenation", (x.index,), (y.index,), fields, overlap={0: distance}))
        offset_bytes += row_bytes
    return tuple(steps)


OP = Op(
    check,
    lower,
    types="any",
    kernels=("concatenation",),
    limits="int8 and int16 tensors of one scale and zero point; no fused activation",
)
