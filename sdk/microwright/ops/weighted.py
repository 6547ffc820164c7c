"""Operators with constant weights: what convolutions and fully connected layers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from microwright.graph import Array, Graph, Node, Tensor
from microwright.ops.base import (
    Constant,
    Field,
    input_tensor,
    optional_input,
    output_tensor,
    unsupported,
)
from microwright.ops.quantized import activation_range, per_tensor, require_int8, rescale


@dataclass(frozen=True, eq=False)
class Operands:
    """What the node works on. `bias` is None where the node has none; `values` are the weights' values."""

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
    for tensor in (image, weights, output):
        require_int8(node, tensor)
    if weights.data is None or (bias is not None and bias.data is None):
        raise unsupported(
            node, "its weights are computed by the model", "use a layer with constant weights and bias"
        )
    if bias is not None and bias.dtype != "int32":
        raise unsupported(
            node,
            f"bias {bias.name[:80]!r} is {bias.dtype}, expected int32",
            "quantise the model to int8 (microwright quantize)",
        )
    return Operands(image, weights, weights.data, bias, output)


def offsets(node: Node, tensors: Operands) -> Mapping[str, Field]:
    """The kernels' zero points and clamp: in_zp, out_zp, act_min, act_max."""
    act_min, act_max = activation_range(node, tensors.output)
    return {
        "in_zp": per_tensor(node, tensors.input)[1],
        "out_zp": per_tensor(node, tensors.output)[1],
        "act_min": act_min,
        "act_max": act_max,
    }


def constants(node: Node, tensors: Operands, factors: Sequence[float], *, axis: int) -> Mapping[str, Field]:
    """The kernels' arrays: weights, bias, mult, shift.

    `factors` are the rescaling factors, one an output channel or one for all; `axis` is the output channels'
    axis of the weights. Raises UnsupportedOp where an accumulator could leave 32 bits.
    """
    channels = tensors.weights.shape[axis]
    bias = None
    if tensors.bias is not None and tensors.bias.data is not None:
        bias = tensors.bias.data.reshape(-1)
        if bias.size != channels:
            raise unsupported(
                node, f"it has {bias.size} biases, expected {channels}", "export the model again"
            )
    by_channel = np.moveaxis(tensors.values, axis, -1).reshape(-1, channels)
    check_accumulators(node, by_channel, bias, per_tensor(node, tensors.input)[1])
    multipliers = [rescale(node, factor) for factor in factors]
    return {
        "weights": Constant(tensors.values.reshape(-1)),
        "bias": None if bias is None else Constant(bias),
        "mult": Constant(np.array([m.mult for m in multipliers], np.int32)),
        "shift": Constant(np.array([m.shift for m in multipliers], np.int8)),
    }


def check_accumulators(node: Node, weights: Array, bias: Array | None, in_zp: int) -> None:
    """Refuse a channel whose sum of products and bias can leave 32 bits, in whatever order they are added.

    weights int8 [taps, channels]. Inputs less their zero point lie in [-128 - in_zp, 127 - in_zp], with 0.
    """
    low, high = -128 - in_zp, 127 - in_zp
    start: npt.NDArray[np.int64] = (
        np.zeros(weights.shape[1], np.int64) if bias is None else bias.astype(np.int64)
    )
    positive = np.maximum(weights, 0).sum(axis=0, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=0, dtype=np.int64)
    largest = np.maximum(start, 0) + positive * high + negative * low
    smallest = np.minimum(start, 0) + positive * low + negative * high
    over = np.flatnonzero((largest > 2**31 - 1) | (smallest < -(2**31)))
    if over.size:
        raise unsupported(
            node,
            f"the accumulator of output channel {over[0]} can overflow 32 bits",
            "quantise the model again with representative calibration data, or use fewer inputs a neuron",
        )
