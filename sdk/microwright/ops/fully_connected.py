"""FULLY_CONNECTED: rows of the input times the transposed weights, quantised per tensor or per channel."""

from __future__ import annotations

from microwright.graph import Graph, Node, Tensor
from microwright.ops import typed, weighted
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel. Weights are [out_len, in_len]; the rest of the input is batch."""
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
    factors = _factors(node, tensors)
    return (
        Step(
            f"fully_connected_{tensors.suffix}",
            (tensors.input.index,),
            (tensors.output.index,),
            {
                "batches": batches,
                "in_len": in_len,
                "out_len": out_len,
                **weighted.offsets(node, tensors),
                **({} if tensors.suffix == "f32" else {"per_channel": int(len(factors) > 1)}),
                **weighted.constants(node, tensors, factors, axis=0, wide=weighted.is_wide(node)),
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


def _factors(node: Node, tensors: weighted.Operands) -> list[float]:
    """Rescaling factors: one a channel, or one for weights quantised per tensor; none in float32.

    Weights quantised per tensor take a bias only where its scale is the product of the others, to 0.02 of the
    output's (GetQuantizedConvolutionMultipler of TensorFlow Lite).
    """
    factors = weighted.factors(node, tensors, axis=0)
    quantization = tensors.weights.quantization
    if not factors or quantization is None or len(quantization.scales) > 1:
        return factors
    if tensors.bias is not None:
        product = per_tensor(node, tensors.input)[0] * quantization.scales[0]
        bias_scale = tensors.bias.quantization.scales[0] if tensors.bias.quantization else 0.0
        if abs(product - bias_scale) / per_tensor(node, tensors.output)[0] > 0.02:
            raise unsupported(
                node,
                f"its bias has scale {bias_scale:g}, expected input scale times weights scale, {product:g}",
                "quantise the model again (microwright quantize)",
            )
    return factors[:1]


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
    types=weighted.TYPES,
    kernels=typed.kernels("fully_connected"),
    limits=weighted.LIMITS,
)
