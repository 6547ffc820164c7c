"""DEPTH_TO_SPACE, of any type: a pixel's channels become a block of pixels."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x, block = input_tensor(graph, node, 0), window.option(node, "block_size")
    batches, height, width, channels = window.image(node, x)
    if block < 1 or channels % block**2:
        raise unsupported(node, f"{channels} channels in blocks of {block}", "export the model again")
    shape = (batches, height, width, block, block, channels // block**2)
    b, y, x_, down, right, c = rearrange.axes(shape)
    places = [b, rearrange.flat(y, down), rearrange.flat(x_, right), c]
    return (rearrange.step(node, x, output_tensor(graph, node), places),)


OP = rearrange.op(lower, in_micro=rearrange.not_of_int16, types="any")
