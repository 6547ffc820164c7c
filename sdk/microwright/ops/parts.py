"""SPLIT and SPLIT_V: the outputs are parts of a tensor that follow each other along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from microwright.graph import Graph, Node, Tensor
from microwright.ops import rearrange
from microwright.ops.base import Step, axis_of, unsupported


def steps(graph: Graph, node: Node, x: Tensor, axes: Sequence[int]) -> tuple[Step, ...]:
    """One call an output; `axes` is the axis. Raises UnsupportedOp where the parts are not all of it."""
    if len(axes) != 1:
        raise unsupported(node, f"it has {len(axes)} axes", "export the model again")
    axis = axis_of(node, axes[0], len(x.shape))
    made: list[Step] = []
    end = 0
    for y in (graph.tensors[index] for index in node.outputs):
        size = y.shape[axis] if axis < len(y.shape) else 0
        places = rearrange.axes(x.shape)
        places[axis] = places[axis][end : end + size]
        made.append(rearrange.step(node, x, y, places))
        end += size
    if end != x.shape[axis]:
        raise unsupported(
            node,
            f"its outputs add up to {end} of {x.shape[axis]} along axis {axis}",
            "export the model again",
        )
    return tuple(made)
