"""BATCH_TO_SPACE_ND, of any type: the opposite of SPACE_TO_BATCH_ND."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import blocks, rearrange
from microwright.ops.base import Step, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call."""
    x, (batches, height, width, channels), block = blocks.of(graph, node, "crops")
    if batches % (block.height * block.width):
        raise unsupported(
            node, f"{batches} batches in blocks of {block.height} x {block.width}", "export the model again"
        )
    shape = (block.height, block.width, batches // (block.height * block.width), height, width, channels)
    down, right, b, y, x_, c = rearrange.axes(shape)
    rows = rearrange.flat(y, down)[block.top : height * block.height - block.bottom]
    columns = rearrange.flat(x_, right)[block.left : width * block.width - block.right]
    output = output_tensor(graph, node)
    places = [b, rows, columns, c] if len(output.shape) == 4 else [b, rows, c]
    return (rearrange.step(node, x, output, places),)


OP = rearrange.op(
    lower, in_micro=rearrange.not_of_int16, types="any", limits="3 or 4 dimensions; constant block and crops"
)
