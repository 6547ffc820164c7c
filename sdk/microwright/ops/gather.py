"""GATHER, of any type: elements of an axis by constant indices."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, axis_of, input_tensor, integers, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The indices' axes take the place of the axis that they pick from."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    indices = np.array(integers(graph, node, 1, "indices"), np.int64)
    axis = axis_of(node, window.option(node, "axis"), len(x.shape))
    if node.options["batch_dims"]:
        raise unsupported(
            node, f"its batch_dims is {node.options['batch_dims']}", "gather from each batch alone"
        )
    if ((indices < 0) | (indices >= x.shape[axis])).any():
        raise unsupported(
            node, f"indices outside of {x.shape[axis]} along axis {axis}", "export the model again"
        )
    shape = (*x.shape[:axis], *input_tensor(graph, node, 1).shape, *x.shape[axis + 1 :])
    if shape != y.shape:
        raise unsupported(
            node, f"of {x.shape} it makes {shape}, its output is {y.shape}", "export the model again"
        )
    places = rearrange.axes(x.shape)
    places[axis] = places[axis][indices]
    return (rearrange.step(node, x, y, places, shape=[len(axis) for axis in places]),)


def _in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro takes no indices of 64 bits."""
    return input_tensor(graph, node, 1).dtype == "int32"


OP = rearrange.op(lower, in_micro=_in_micro, types="any", limits="constant indices; no batch_dims")
