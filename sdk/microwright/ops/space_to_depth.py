"""SPACE_TO_DEPTH, of any type: a block of pixels becomes the channels of one."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x, block = input_tensor(graph, node, 0), window.option(node, "block_size")
    batches, height, width, channels = window.image(node, x)
    if block < 1 or height % block or width % block:
        raise unsupported(node, f"{height} x {width} pixels in blocks of {block}", "export the model again")
    shape = (batches, height // block, block, width // block, block, channels)
    b, y, down, x_, right, c = rearrange.axes(shape)
    places = [b, y, x_, rearrange.flat(down, rearrange.flat(right, c))]
    return (rearrange.step(node, x, output_tensor(graph, node), places),)


OP = rearrange.op(lower, in_micro=rearrange.not_of_int16, types="any")
