"""ARG_MAX and ARG_MIN, int8 to int32: the index of the largest or smallest value, the first of several."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Step, axis_of, input_tensor, integers, output_tensor, unsupported


def step(graph: Graph, node: Node, flip: int) -> Step:
    """The call; `flip` 0 is for the largest value, -1 for the smallest."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    table.check_types(node, (x,), ("int8",))
    table.check_types(node, (y,), ("int32",))
    axes = integers(graph, node, 1, "axis")
    if len(axes) != 1:
        raise unsupported(node, f"it has {len(axes)} axes", "export the model again")
    axis = axis_of(node, axes[0], len(x.shape))
    expected = x.shape[:axis] + x.shape[axis + 1 :]
    if y.shape != expected or x.elements == 0:
        raise unsupported(node, f"of {x.shape} it makes {y.shape}", "export the model again")
    fields = {
        "outer": math.prod(x.shape[:axis]),
        "size": x.shape[axis],
        "inner": math.prod(x.shape[axis + 1 :]),
        "flip": flip,
    }
    return Step("arg_max_s8", (x.index,), (y.index,), fields)
