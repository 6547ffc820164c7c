"""SPACE_TO_BATCH_ND, int8: every n-th pixel in batches of their own; pixels outside are the zero point."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import blocks, rearrange, typed
from microwright.ops.base import Step, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call for each pixel of a block."""
    x, shape, block = blocks.of(graph, node, "paddings")
    batches, height, width, _ = shape
    y = output_tensor(graph, node)
    typed.suffix(node, x, y)
    zero_point = per_tensor(node, y)[1] if y.dtype == "int8" else 0
    high, wide = block.top + height + block.bottom, block.left + width + block.right
    if high % block.height or wide % block.width or y.elements % (block.height * block.width):
        raise unsupported(
            node,
            f"{high} x {wide} pixels in blocks of {block.height} x {block.width}",
            "export the model again",
        )
    b, rows, columns, c = rearrange.axes(shape)
    rows = np.pad(rows, (block.top, block.bottom), constant_values=rearrange.ABSENT)
    columns = np.pad(columns, (block.left, block.right), constant_values=rearrange.ABSENT)
    out = (
        block.height * block.width * batches,
        high // block.height,
        *((wide // block.width,) * (len(y.shape) - 3)),
        shape[3],
    )
    if y.shape != out:
        raise unsupported(node, f"it makes {out}, its output is {y.shape}", "export the model again")
    steps: list[Step] = []
    for down in range(block.height):
        for right in range(block.width):
            places = [b, rows[down :: block.height], columns[right :: block.width], c]
            begin = len(steps) * y.elements // (block.height * block.width)
            box = [len(axis) for axis in places]
            steps.append(rearrange.step(node, x, y, places, begin=begin, value=zero_point, shape=box))
    return tuple(steps)


def _in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro has no int16, and pads with whatever it finds, not with the zero point."""
    _, _, block = blocks.of(graph, node, "paddings")
    return output_tensor(graph, node).dtype in ("int8", "float32") and not any(block[2:])


OP = rearrange.op(
    lower, in_micro=_in_micro, types=typed.TYPES, limits="3 or 4 dimensions; constant block and paddings"
)
