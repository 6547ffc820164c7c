"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: the pixels of a block of space in batches of their own."""

from __future__ import annotations

from typing import NamedTuple

from microwright.graph import Graph, Node, Tensor
from microwright.ops.base import input_tensor, integers, output_tensor, unsupported


class Block(NamedTuple):
    """Height and width of the block, and what is added or cut before and after them, in pixels."""

    height: int
    width: int
    top: int
    bottom: int
    left: int
    right: int


def of(graph: Graph, node: Node, what: str) -> tuple[Tensor, tuple[int, int, int, int], Block]:
    """(input, its shape as an image, block) of the node; an image of three dimensions has a width of 1.

    `what` is what the third operand is called.
    """
    x = input_tensor(graph, node, 0)
    sizes, edges = integers(graph, node, 1, "block shape"), integers(graph, node, 2, what)
    if len(x.shape) not in (3, 4) or 2 * len(sizes) != len(edges) or len(sizes) != len(x.shape) - 2:
        raise unsupported(
            node,
            f"blocks of {len(sizes)} dimensions of a tensor of {len(x.shape)}",
            "use images of height and width, or of a height alone",
        )
    if len(sizes) == 1:
        sizes, edges = [*sizes, 1], [*edges, 0, 0]
    # Whatever fits adds no more pixels than there are elements.
    most = max(x.elements, output_tensor(graph, node).elements)
    if min(sizes) < 1 or min(edges) < 0 or max(*sizes, *edges) > most or x.elements == 0:
        raise unsupported(node, f"block {sizes} with {what} {edges}", "export the model again")
    batches, height, *width, channels = x.shape
    shape = (batches, height, width[0] if width else 1, channels)
    return x, shape, Block(sizes[0], sizes[1], *edges)
