"""CONV_2D: 2D convolution, also dilated and grouped."""

from __future__ import annotations

from microwright.graph import ITEM_BYTES, Graph, Node
from microwright.ops import typed, weighted, window
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel. Weights are [out_ch, filter_h, filter_w, group_in_ch]."""
    tensors = weighted.operands(graph, node)
    batches, in_h, in_w, in_ch = window.image(node, tensors.input)
    out_ch, filter_h, filter_w, group_in_ch = window.image(node, tensors.weights)
    out_h, out_w = window.output(node, tensors.output, batches, out_ch)
    groups = in_ch // group_in_ch
    if in_ch % group_in_ch or out_ch % groups:
        raise unsupported(
            node,
            f"{in_ch} input and {out_ch} output channels do not divide into groups of {group_in_ch} inputs",
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
            f"conv_2d_{tensors.suffix}",
            (tensors.input.index,),
            (tensors.output.index,),
            {
                "batches": batches,
                "in_h": in_h,
                "in_w": in_w,
                "in_ch": in_ch,
                "out_h": out_h,
                "out_w": out_w,
                "out_ch": out_ch,
                "filter_h": filter_h,
                "filter_w": filter_w,
                "groups": groups,
                "group_in_ch": group_in_ch,
                "stride_h": h.stride,
                "stride_w": w.stride,
                "dilation_h": h.dilation,
                "dilation_w": w.dilation,
                "pad_top": h.before,
                "pad_left": w.before,
                **weighted.offsets(node, tensors),
                **weighted.constants(
                    node,
                    tensors,
                    weighted.factors(node, tensors, axis=0),
                    axis=0,
                    wide=weighted.is_wide(node),
                ),
            },
            scratch_bytes=0,
            # All of a window is read for the last output channel.
            overlap={
                0: ITEM_BYTES[tensors.input.dtype]
                * window.overlap_distance(
                    h, w, (batches, in_h, in_w, in_ch), (out_h, out_w, out_ch), ahead=out_ch - 1
                )
            },
        ),
    )


def check(graph: Graph, node: Node) -> None:
    """Whatever is wrong shows while lowering."""
    lower(graph, node)


def macs(graph: Graph, node: Node) -> int:
    """One an output value and weight of its channel; taps in the padding count too."""
    _, filter_h, filter_w, group_in_ch = window.image(node, input_tensor(graph, node, 1))
    return output_tensor(graph, node).elements * filter_h * filter_w * group_in_ch


OP = Op(
    check=check,
    lower=lower,
    macs=macs,
    types=weighted.TYPES,
    kernels=typed.kernels("conv_2d"),
    limits=weighted.LIMITS,
)
