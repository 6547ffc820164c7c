"""GATHER, of any type: elements of an axis by constant indices, or by those that the model computes."""

from __future__ import annotations

import math

import numpy as np

from microwright.graph import Graph, Node, Tensor
from microwright.ops import picked, rearrange, window
from microwright.ops.base import Op, Step, axis_of, input_tensor, integers, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The indices' axes take the place of the axis that they pick from."""
    x, indices, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    axis = axis_of(node, window.option(node, "axis"), len(x.shape))
    batch_dims = window.option(node, "batch_dims")
    batch_dims += len(indices.shape) if batch_dims < 0 else 0
    if not 0 <= batch_dims <= min(axis, len(indices.shape)) or (
        x.shape[:batch_dims] != indices.shape[:batch_dims]
    ):
        raise unsupported(
            node, f"its batch_dims is {node.options['batch_dims']}, its axis {axis}", "export the model again"
        )
    shape = (*x.shape[:axis], *indices.shape[batch_dims:], *x.shape[axis + 1 :])
    if shape != y.shape or x.dtype != y.dtype:
        raise unsupported(
            node,
            f"of {x.dtype} {x.shape} it makes {shape}, its output is {y.dtype} {y.shape}",
            "export the model again",
        )
    if indices.data is not None and batch_dims == 0:
        return (_moved(graph, node, x, y, axis),)
    inner = math.prod(x.shape[axis + 1 :])
    return (
        picked.step(
            node,
            x,
            indices,
            y,
            batches=math.prod(x.shape[:batch_dims]),
            outer=math.prod(x.shape[batch_dims:axis]),
            extents=(x.shape[axis],),
            run=inner,
        ),
    )


def _moved(graph: Graph, node: Node, x: Tensor, y: Tensor, axis: int) -> Step:
    """A call for constant indices."""
    rearrange.check_size(graph, node)
    indices = np.array(integers(graph, node, 1, "indices"), np.int64)
    if ((indices < 0) | (indices >= x.shape[axis])).any():
        raise unsupported(
            node, f"indices outside of {x.shape[axis]} along axis {axis}", "export the model again"
        )
    places = rearrange.axes(x.shape)
    places[axis] = places[axis][indices]
    return rearrange.step(node, x, y, places, shape=[len(axis) for axis in places])


OP = Op.lowered(
    lower,
    types="any, by int32",
    kernels=("rearrange", "gather"),
    limits="indices below 0 or beyond the axis give bytes of 0 where they are computed, and are refused "
    "where they are constant",
    in_micro=picked.in_micro,
)
