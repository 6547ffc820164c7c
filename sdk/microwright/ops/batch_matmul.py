"""BATCH_MATMUL, int8: products of matrices that the model computes, with broadcast batches."""

from __future__ import annotations

import math

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor, require_int8, rescale

_BATCH_AXES = 3
# A sum of so many products of values less their zero points fits in 32 bits.
_MAX_DEPTH = (2**31 - 1) // 255**2


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of the batch axes, 0 where there is one matrix for all."""
    return tuple(
        0 if size == 1 else math.prod(shape[axis + 1 :]) for axis, size in enumerate(shape[:_BATCH_AXES])
    )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. adj_x and adj_y say that a matrix is transposed."""
    a, b, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    for tensor in (a, b, y):
        require_int8(node, tensor)
    if min(len(a.shape), len(b.shape)) < 2 or max(len(a.shape), len(b.shape)) > _BATCH_AXES + 2:
        raise unsupported(
            node, f"matrices of shape {a.shape} and {b.shape}", f"use 2 to {_BATCH_AXES + 2} dimensions"
        )
    shape1, shape2 = ((1,) * (_BATCH_AXES + 2 - len(t.shape)) + t.shape for t in (a, b))
    (rows, depth), (steps1) = shape1[-2:], (shape1[-1], 1)
    (depth2, columns), (steps2) = shape2[-2:], (shape2[-1], 1)
    if node.options["adj_x"]:
        rows, depth, steps1 = depth, rows, steps1[::-1]
    if node.options["adj_y"]:
        depth2, columns, steps2 = columns, depth2, steps2[::-1]
    pairs = list(zip(shape1[:_BATCH_AXES], shape2[:_BATCH_AXES], strict=True))
    batches = tuple(max(pair) for pair in pairs)
    made = (*batches, rows, columns)
    fits = depth == depth2 and all(p == q or 1 in (p, q) for p, q in pairs) and 0 not in (*made, depth)
    if not fits or made[-max(len(a.shape), len(b.shape)) :] != y.shape:
        raise unsupported(
            node, f"{a.shape} times {b.shape} does not give {y.shape}", "export the model again"
        )
    if depth > _MAX_DEPTH:
        raise unsupported(node, f"sums of {depth} products can overflow 32 bits", "split the matrices")
    (scale1, zp1), (scale2, zp2), (out_scale, out_zp) = (per_tensor(node, t) for t in (a, b, y))
    # The product of the scales is a float32 in the reference.
    with np.errstate(over="ignore", under="ignore"):
        factor = rescale(node, float(np.float32(scale1) * np.float32(scale2)) / out_scale)
    fields: dict[str, Field] = {
        "batches": batches,
        "strides1": _strides(shape1),
        "strides2": _strides(shape2),
        "rows": rows,
        "columns": columns,
        "depth": depth,
        "row_step": steps1[0],
        "depth_step1": steps1[1],
        "column_step": steps2[1],
        "depth_step2": steps2[0],
        "in1_zp": zp1,
        "in2_zp": zp2,
        "out_zp": out_zp,
        "mult": factor.mult,
        "shift": factor.shift,
    }
    return (Step("batch_matmul_s8", (a.index, b.index), (y.index,), fields),)


def macs(graph: Graph, node: Node) -> int:
    """One an output and element of the axis that is summed over."""
    a = input_tensor(graph, node, 0).shape
    return output_tensor(graph, node).elements * math.prod(a[-2:-1] if node.options["adj_x"] else a[-1:])


def check(graph: Graph, node: Node) -> None:
    """Whatever is wrong shows while lowering."""
    lower(graph, node)


OP = Op(
    check,
    lower,
    macs,
    types="int8",
    kernels=("batch_matmul_s8",),
    limits="2 to 5 dimensions; sums of up to 33025 products",
)
