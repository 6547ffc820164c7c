"""MIRROR_PAD, of any type: borders that mirror what is inside."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import pad, rearrange
from microwright.ops.base import Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The mode says whether the outermost element is repeated (SYMMETRIC) or not (REFLECT)."""
    x = input_tensor(graph, node, 0)
    mode = "reflect" if node.options["mode"] == "REFLECT" else "symmetric"
    places = rearrange.axes(x.shape)
    for axis, (extent, before, after) in enumerate(pad.axes(graph, node)):
        if not 0 <= min(before, after) <= max(before, after) <= extent - (mode == "reflect"):
            raise unsupported(
                node, f"padding of {before} and {after} around {extent} elements", "pad with less"
            )
        places[axis] = np.pad(places[axis], (before, after), mode)  # type: ignore[call-overload]
    return (rearrange.step(node, x, output_tensor(graph, node), places),)


OP = rearrange.op(lower, in_micro=rearrange.not_of_int16, types="any", limits="constant paddings")
