"""TRANSPOSE: the axes in another order, of any type."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange
from microwright.ops.base import Step, input_tensor, integers, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call; output axis i is input axis permutation[i]."""
    x = input_tensor(graph, node, 0)
    order = integers(graph, node, 1, "permutation")
    if sorted(order) != list(range(len(x.shape))):
        raise unsupported(node, f"{order} is no order of {len(x.shape)} dimensions", "export the model again")
    axes = rearrange.axes(x.shape)
    return (rearrange.step(node, x, output_tensor(graph, node), [axes[axis] for axis in order]),)


OP = rearrange.op(lower, types="any", limits="a constant permutation")
