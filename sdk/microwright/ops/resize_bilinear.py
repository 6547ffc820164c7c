"""RESIZE_BILINEAR, int8: pixels between the four nearest, in the reference's steps of 1/1024 pixel."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import window
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import require_int8

_UNIT = 1 << 10


def _axis(node: Node, size: int, out: int) -> tuple[int, int]:
    """(scale, offset): output i lies at i * scale + offset, in 1/1024 pixel of the input."""
    corners, centers = node.options["align_corners"], node.options["half_pixel_centers"]
    spread, over = (size - 1, out - 1) if corners and out > 1 else (size, out)
    scale = (_UNIT * spread + over // 2) // over
    offset = scale // 2 - _UNIT // 2 if centers else 0
    last = (out - 1) * scale + offset
    if last >= _UNIT * size or last >= 2**30:
        raise unsupported(
            node, f"from {size} to {out} pixels, the last ones lie outside", "resize by a smaller factor"
        )
    return scale, offset


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. The output's shape is in the file; the size operand is not read."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    require_int8(node, x)
    require_int8(node, y)
    if node.options["align_corners"] and node.options["half_pixel_centers"]:
        raise unsupported(node, "both align_corners and half_pixel_centers", "use one of them")
    batches, in_h, in_w, channels = window.image(node, x)
    out_h, out_w = window.output(node, y, batches, channels)
    (scale_h, offset_h), (scale_w, offset_w) = _axis(node, in_h, out_h), _axis(node, in_w, out_w)
    fields = {
        "batches": batches,
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_h": out_h,
        "out_w": out_w,
        "scale_h": scale_h,
        "scale_w": scale_w,
        "offset_h": offset_h,
        "offset_w": offset_w,
    }
    return (Step("resize_bilinear_s8", (x.index,), (y.index,), fields),)


OP = Op.lowered(lower, types="int8", kernels=("resize_bilinear_s8",))
