"""AVERAGE_POOL_2D and MAX_POOL_2D up to their kernels' names."""

from __future__ import annotations

from microwright.graph import ITEM_BYTES, Graph, Node, Tensor
from microwright.ops import typed, window
from microwright.ops.base import Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor

# A sum of so many values fits in 32 bits, whatever the rounding adds. In float32 there is no limit to keep.
_MAX_TAPS = {"int8": 2**23, "int16": 2**15, "float32": 2**23}


def lower(graph: Graph, node: Node, stem: str) -> tuple[Step, ...]:
    """One call of the type's kernel.

    Quantised input and output share scale (to 1e-6, as in the reference) and zero point.
    """
    image = input_tensor(graph, node, 0)
    output = output_tensor(graph, node)
    suffix = typed.suffix(node, image, output)
    if suffix != "f32" and not _quantised_alike(node, image, output):
        raise unsupported(
            node,
            "its input and output are quantised differently",
            "quantise the model with current TensorFlow",
        )
    batches, in_h, in_w, channels = window.image(node, image)
    out_h, out_w = window.output(node, output, batches, channels)
    h = window.axis(node, "h", size=in_h, out=out_h, taps=window.option(node, "filter_height"))
    w = window.axis(node, "w", size=in_w, out=out_w, taps=window.option(node, "filter_width"))
    if min(h.taps, in_h) * min(w.taps, in_w) > _MAX_TAPS[image.dtype]:
        raise unsupported(node, f"a window of {h.taps} x {w.taps} is too large", "pool in two steps")
    return (
        Step(
            f"{stem}_{suffix}",
            (image.index,),
            (output.index,),
            {
                "batches": batches,
                "in_h": in_h,
                "in_w": in_w,
                "channels": channels,
                "out_h": out_h,
                "out_w": out_w,
                "filter_h": h.taps,
                "filter_w": w.taps,
                "stride_h": h.stride,
                "stride_w": w.stride,
                "pad_top": h.before,
                "pad_left": w.before,
                **typed.activation(node, output),
            },
            overlap={
                0: ITEM_BYTES[image.dtype]
                * window.overlap_distance(
                    h, w, (batches, in_h, in_w, channels), (out_h, out_w, channels), ahead=0
                )
            },
        ),
    )


def _quantised_alike(node: Node, image: Tensor, output: Tensor) -> bool:
    in_scale, in_zp = per_tensor(node, image)
    out_scale, out_zp = per_tensor(node, output)
    return abs(in_scale - out_scale) <= 1e-6 and in_zp == out_zp
