"""TRANSPOSE_CONV: transposed 2D convolution, int8."""

from __future__ import annotations

from dataclasses import replace

from microwright.graph import Graph, Node
from microwright.ops import weighted, window
from microwright.ops.base import Op, Step, input_tensor, unsupported
from microwright.ops.quantized import require_int8


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call. Operands are the output's shape, which is not read, weights, image and bias."""
    image_first = replace(node, inputs=(node.inputs[2], node.inputs[1], *node.inputs[3:]))
    tensors = weighted.operands(graph, image_first)
    require_int8(node, tensors.input)
    batches, in_h, in_w, in_ch = window.image(node, tensors.input)
    out_ch, filter_h, filter_w, weights_ch = window.image(node, tensors.weights)
    out_h, out_w = window.output(node, tensors.output, batches, out_ch)
    if weights_ch != in_ch:
        raise unsupported(
            node, f"weights of {weights_ch} channels for {in_ch} of the image", "export the model again"
        )
    # The convolution that this one is the opposite of goes from the output's image to the input's.
    h = window.axis(node, "h", size=out_h, out=in_h, taps=filter_h)
    w = window.axis(node, "w", size=out_w, out=in_w, taps=filter_w)
    fields = {
        "batches": batches,
        "in_h": in_h,
        "in_w": in_w,
        "in_ch": in_ch,
        "out_h": out_h,
        "out_w": out_w,
        "out_ch": out_ch,
        "filter_h": filter_h,
        "filter_w": filter_w,
        "stride_h": h.stride,
        "stride_w": w.stride,
        "pad_top": h.before,
        "pad_left": w.before,
        **weighted.offsets(node, tensors),
        **weighted.constants(image_first, tensors, weighted.factors(node, tensors, axis=0), axis=0),
    }
    return (Step("transpose_conv_s8", (tensors.input.index,), (tensors.output.index,), fields),)


def check(graph: Graph, node: Node) -> None:
    """Whatever else is wrong shows while lowering."""
    input_tensor(graph, node, 2)
    lower(graph, node)


def macs(graph: Graph, node: Node) -> int:
    """One an input value and weight of its channel; taps outside the output count too."""
    out_ch, filter_h, filter_w, _ = window.image(node, input_tensor(graph, node, 1))
    return input_tensor(graph, node, 2).elements * filter_h * filter_w * out_ch


OP = Op(
    check,
    lower,
    macs,
    types="int8",
    kernels=("transpose_conv_s8",),
    limits="constant weights with zero point 0; sums that fit 32 bits",
)
