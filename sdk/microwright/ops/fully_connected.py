"""FULLY_CONNECTED: rows of the input times the transposed weights, quantised per tensor or per channel."""

from __future__ import annotations

from microwright.graph import Graph, Node, Tensor
from microwright.ops import weighted
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_channel, per_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of fully_connected_s8. Weights are [out_len, in_len]; the rest of the input is batch."""
    tensors = weighted.operands(graph, node)
    if node.options["weights_format"] != "DEFAULT":
        raise unsupported(node, "its weights are shuffled", "export the model again")
    out_len, in_len = shape = _shape(node, tensors.weights)
    batches = tensors.input.elements // in_len
    if (
        batches * in_len != tensors.input.elements
        or batches * out_len != tensors.output.elements
        or tensors.output.shape[-1:] != (out_len,)
    ):
        raise unsupported(
            node,
            f"weights of shape {list(shape)} do not fit input {list(tensors.input.shape)} and output "
            f"{list(tensors.output.shape)}",
            "export the model again",
        )
    factors = _factors(node, tensors, out_len)
    return (
        Step(
            "fully_connected_s8",
            (tensors.input.index,),
            (tensors.output.index,),
            {
                "batches": batches,
                "in_len": in_len,
                "out_len": out_len,
                **weighted.offsets(node, tensors),
                "per_channel": int(len(factors) > 1),
                **weighted.constants(node, tensors, factors, axis=0),
            },
            scratch_bytes=0,
        ),
    )


def _shape(node: Node, weights: Tensor) -> tuple[int, int]:
    if len(weights.shape) != 2 or weights.elements == 0:
        raise unsupported(
            node,
            f"weights {weights.name[:80]!r} have shape {list(weights.shape)}, expected [outputs, inputs]",
            "export the model again",
        )
    return weights.shape[0], weights.shape[1]


def _factors(node: Node, tensors: weighted.Operands, out_len: int) -> list[float]:
    """Rescaling factors: one a channel, or one for weights quantised per tensor.

    The latter take a bias only where its scale is the product of the others, to 0.02 of the output's
    (GetQuantizedConvolutionMultipler of TensorFlow Lite).
    """
    in_scale, _ = per_tensor(node, tensors.input)
    out_scale, _ = per_tensor(node, tensors.output)
    scales = per_channel(node, tensors.weights, out_len, axis=0)
    quantization = tensors.weights.quantization
    per_channel_scales = quantization is not None and len(quantization.scales) > 1
    if not per_channel_scales and tensors.bias is not None:
        bias_scale = tensors.bias.quantization.scales[0] if tensors.bias.quantization else 0.0
        if abs(in_scale * scales[0] - bias_scale) / out_scale > 0.02:
            raise unsupported(
                node,
                f"its bias has scale {bias_scale:g}, expected input scale times weights scale, "
                f"{in_scale * scales[0]:g}",
                "quantise the model again (microwright quantize)",
            )
    return [in_scale * scale / out_scale for scale in (scales if per_channel_scales else scales[:1])]


def check(graph: Graph, node: Node) -> None:
    """Whatever is wrong shows while lowering."""
    lower(graph, node)


def macs(graph: Graph, node: Node) -> int:
    """One an output value and input of its row."""
    return output_tensor(graph, node).elements * _shape(node, input_tensor(graph, node, 1))[1]


OP = Op(
    check=check,
    lower=lower,
    macs=macs,
    types="int8",
    kernels=("fully_connected_s8",),
    limits="constant weights with zero point 0; sums that fit 32 bits",
)
