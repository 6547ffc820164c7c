"""DEPTHWISE_CONV_2D: each input channel is convolved apart, also dilated and with a depth multiplier."""

from __future__ import annotations

from microwright.graph import ITEM_BYTES, Graph, Node
from microwright.ops import typed, weighted, window
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported

# So many products of int16 and int8 fit in 32 bits.
_MAX_TAPS_16 = 511


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel. Weights are [1, filter_h, filter_w, out_ch]."""
    tensors = weighted.operands(graph, node)
    if tensors.suffix == "s16" and tensors.bias is not None and tensors.bias.dtype != "int64":
        raise unsupported(
            node,
            "its bias is int32, which TensorFlow Lite Micro takes for int64",
            "quantise the model again (microwright quantize --scheme int16x8)",
        )
    batches, in_h, in_w, in_ch = window.image(node, tensors.input)
    one, filter_h, filter_w, out_ch = window.image(node, tensors.weights)
    if tensors.suffix == "s16" and filter_h * filter_w > _MAX_TAPS_16:
        raise unsupported(
            node,
            f"a window of {filter_h} x {filter_w} of int16, the kernel takes {_MAX_TAPS_16} taps",
            "use a smaller kernel",
        )
    out_h, out_w = window.output(node, tensors.output, batches, out_ch)
    multiplier = window.option(node, "depth_multiplier")
    if one != 1 or in_ch * multiplier != out_ch:
        raise unsupported(
            node,
            f"weights of shape {list(tensors.weights.shape)} do not fit {in_ch} channels "
            f"and a depth multiplier of {multiplier}",
            "export the model again",
        )
    h = window.axis(
        node, "h", size=in_h, out=out_h, taps=filter_h, dilation=window.option(node, "dilation_h_factor")
    )
    w = window.axis(
        node, "w", size=in_w, out=out_w, taps=filter_w, dilation=window.option(node, "dilation_w_factor")
    )
    return (
        Step(
            f"depthwise_conv_2d_{tensors.suffix}",
            (tensors.input.index,),
            (tensors.output.index,),
            {
                "batches": batches,
                "in_h": in_h,
                "in_w": in_w,
                "in_ch": in_ch,
                "out_h": out_h,
                "out_w": out_w,
                "multiplier": multiplier,
                "filter_h": filter_h,
                "filter_w": filter_w,
                "stride_h": h.stride,
                "stride_w": w.stride,
                "dilation_h": h.dilation,
                "dilation_w": w.dilation,
                "pad_top": h.before,
                "pad_left": w.before,
                **weighted.offsets(node, tensors),
                **weighted.constants(node, tensors, weighted.factors(node, tensors, axis=3), axis=3),
            },
            scratch_bytes=0,
            # Of the last input channel, all output channels but one are written before it is read again.
            overlap={
                0: ITEM_BYTES[tensors.input.dtype]
                * window.overlap_distance(
                    h, w, (batches, in_h, in_w, in_ch), (out_h, out_w, out_ch), ahead=out_ch - in_ch
                )
            },
        ),
    )


def check(graph: Graph, node: Node) -> None:
    """Whatever is wrong shows while lowering."""
    lower(graph, node)


def macs(graph: Graph, node: Node) -> int:
    """One an output value and tap; taps in the padding count too."""
    _, filter_h, filter_w, _ = window.image(node, input_tensor(graph, node, 1))
    return output_tensor(graph, node).elements * filter_h * filter_w


OP = Op(
    check=check,
    lower=lower,
    macs=macs,
    types=weighted.TYPES,
    kernels=typed.kernels("depthwise_conv_2d"),
    limits=f"{weighted.LIMITS}; windows of up to {_MAX_TAPS_16} taps of int16",
)
