"""Operators with constant weights: what convolutions and fully connected layers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from microwright.graph import Array, DType, Graph, Node, Tensor
from microwright.ops import typed
from microwright.ops.base import (
    Constant,
    Field,
    input_tensor,
    optional_input,
    output_tensor,
    unsupported,
)
from microwright.ops.quantized import limits, per_channel, per_tensor, require_int8, rescale

# Of the tensors, and limits, in words.
TYPES = "int8, int16 with int8 weights, float32"
LIMITS = "constant weights with zero point 0; sums that fit 32 bits, in int16 48 bits"
_BIASES: Mapping[DType, tuple[DType, ...]] = {
    "int8": ("int32",),
    "int16": ("int64", "int32"),
    "float32": ("float32",),
}
# What mw_requantize_wide of the runtime takes.
_WIDE_BITS, _WIDE_FACTOR = 48, 2.0**7


@dataclass(frozen=True, eq=False)
class Operands:
    """What the node works on. `bias` is None where the node has none; `values` are the weights' values.

    suffix   of the kernel: the type of input and output
    """

    suffix: str
    input: Tensor
    weights: Tensor
    values: Array
    bias: Tensor | None
    output: Tensor


def operands(graph: Graph, node: Node) -> Operands:
    """The node's tensors, types and presence checked, shapes not. Raises UnsupportedOp."""
    image, weights, bias = (
        input_tensor(graph, node, 0),
        input_tensor(graph, node, 1),
        optional_input(graph, node, 2),
    )
    output = output_tensor(graph, node)
    suffix = typed.suffix(node, image, output)
    if suffix == "f32":
        typed.suffix(node, image, weights)
    else:
        require_int8(node, weights)
    if weights.data is None or (bias is not None and bias.data is None):
        raise unsupported(
            node, "its weights are computed by the model", "use a layer with constant weights and bias"
        )
    if bias is not None and bias.dtype not in _BIASES[image.dtype]:
        raise unsupported(
            node,
            f"bias {bias.name[:80]!r} is {bias.dtype}, expected {' or '.join(_BIASES[image.dtype])}",
            "quantise the model again (microwright quantize)",
        )
    return Operands(suffix, image, weights, weights.data, bias, output)


def offsets(node: Node, tensors: Operands) -> Mapping[str, Field]:
    """The kernels' zero points, where they have them, and clamp: in_zp, out_zp, act_min, act_max."""
    return {
        **typed.zero_points(node, {"in": tensors.input, "out": tensors.output}),
        **typed.activation(node, tensors.output),
    }


def is_wide(node: Node) -> bool:
    """Whether an int16 node without a bias is summed in 64 bits, as it is unless the file says otherwise."""
    return node.options["quantized_bias_type"] != "int32"


def factors(node: Node, tensors: Operands, *, axis: int) -> list[float]:
    """The rescaling factors of the output channels, which are on this axis of the weights; [] in float32."""
    if tensors.suffix == "f32":
        return []
    in_scale, _ = per_tensor(node, tensors.input)
    out_scale, _ = per_tensor(node, tensors.output)
    scales = per_channel(node, tensors.weights, tensors.weights.shape[axis], axis=axis)
    return [in_scale * scale / out_scale for scale in scales]


def constants(
    node: Node, tensors: Operands, factors: Sequence[float], *, axis: int, wide: bool = True
) -> Mapping[str, Field]:
    """The kernels' arrays, as far as they have them: wide, weights, bias, mult, shift.

    `factors` are the rescaling factors, one an output channel or one for all; `axis` is the output channels'
    axis of the weights; `wide` says whether int16 is summed in 64 bits where no bias tells. Raises
    UnsupportedOp where an accumulator could leave its bits.
    """
    channels = tensors.weights.shape[axis]
    bias = None
    if tensors.bias is not None and tensors.bias.data is not None:
        bias = tensors.bias.data.reshape(-1)
        if bias.size != channels:
            raise unsupported(
                node, f"it has {bias.size} biases, expected {channels}", "export the model again"
            )
    fields: dict[str, Field] = {}
    if tensors.suffix == "s16":
        wide = wide if tensors.bias is None else tensors.bias.dtype == "int64"
        fields["wide"] = int(wide)
        bias = None if bias is None else bias.astype(np.int64)
    fields["weights"] = Constant(tensors.values.reshape(-1))
    fields["bias"] = None if bias is None else Constant(bias)
    if tensors.suffix == "f32":
        return fields
    by_channel = np.moveaxis(tensors.values, axis, -1).reshape(-1, channels)
    is_wide = bool(fields.get("wide"))
    check_accumulators(node, by_channel, bias, tensors.input, bits=_WIDE_BITS if is_wide else 32)
    if is_wide and max(factors, default=0.0) >= _WIDE_FACTOR:
        raise unsupported(
            node,
            f"its scales give a factor of {max(factors):g}, in int16 it has to be below {_WIDE_FACTOR:g}",
            "quantise the model again with representative calibration data",
        )
    multipliers = [rescale(node, factor) for factor in factors]
    return {
        **fields,
        "mult": Constant(np.array([m.mult for m in multipliers], np.int32)),
        "shift": Constant(np.array([m.shift for m in multipliers], np.int8)),
    }


def check_accumulators(node: Node, weights: Array, bias: Array | None, x: Tensor, *, bits: int = 32) -> None:
    """Refuse a channel whose sum of products and bias can leave so many bits, in any order.

    weights int8 [taps, channels], of values of `x` less its zero point.
    """
    zero_point = per_tensor(node, x)[1]
    low, high = (end - zero_point for end in limits(x))
    limit = 2 ** (bits - 1)
    start: npt.NDArray[np.int64] = (
        np.zeros(weights.shape[1], np.int64) if bias is None else bias.astype(np.int64).clip(-limit, limit)
    )
    positive = np.maximum(weights, 0).sum(axis=0, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=0, dtype=np.int64)
    largest = np.maximum(start, 0) + positive * high + negative * low
    smallest = np.minimum(start, 0) + positive * low + negative * high
    over = np.flatnonzero((largest > limit - 1) | (smallest < -limit))
    if over.size:
        raise unsupported(
            node,
            f"the accumulator of output channel {over[0]} can overflow {bits} bits",
            "quantise the model again with representative calibration data, or use fewer inputs a neuron",
        )
