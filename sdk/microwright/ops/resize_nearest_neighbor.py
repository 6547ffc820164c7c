"""RESIZE_NEAREST_NEIGHBOR, of any type: each pixel is the nearest of the image."""

from __future__ import annotations

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import rearrange, window
from microwright.ops.base import Step, input_tensor, output_tensor


def _nearest(node: Node, size: int, out: int) -> rearrange.Places:
    """The pixel of `size` that each of `out` is, in the reference's float32."""
    corners, centers = node.options["align_corners"], node.options["half_pixel_centers"]
    ratio = (
        np.float32(size - 1) / np.float32(out - 1)
        if corners and out > 1
        else np.float32(size) / np.float32(out)
    )
    scaled = (np.arange(out, dtype=np.float32) + np.float32(0.5 if centers else 0)) * ratio
    pixels = np.floor(scaled.astype(np.float64) + 0.5) if corners else np.floor(scaled)
    return np.asarray(np.clip(pixels, 0, size - 1), np.int64)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The output's shape is in the file; the size operand is not read."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    _, height, width, _ = window.image(node, x)
    _, out_height, out_width, _ = window.image(node, y)
    places = rearrange.axes(x.shape)
    places[1] = places[1][_nearest(node, height, out_height)]
    places[2] = places[2][_nearest(node, width, out_width)]
    return (rearrange.step(node, x, y, places),)


OP = rearrange.op(lower, types="any")
