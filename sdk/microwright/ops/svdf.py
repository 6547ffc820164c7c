"""SVDF, int8 with int16 memory: filters over the inputs of the last inferences, which it keeps."""

from __future__ import annotations

import math

import numpy as np

from microwright.graph import Array, DType, Graph, Node, Tensor
from microwright.ops.base import Constant, Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_channel, per_tensor, require_int8, rescale
from microwright.ops.weighted import check_accumulators


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of svdf_s8. What is clamped is the output's range, whatever activation the node names."""
    x, state, y = input_tensor(graph, node, 0), input_tensor(graph, node, 4), output_tensor(graph, node)
    require_int8(node, x)
    require_int8(node, y)
    _require(node, state, "int16")
    if state.state is None:
        raise unsupported(node, "its memory is no variable", "export the model again")
    feature, time = _constant(graph, node, 1, "int8"), _constant(graph, node, 2, "int16")
    bias = _constant(graph, node, 3, "int32")
    rank = node.options["rank"]
    assert isinstance(rank, int)
    filters, memory = time.shape if time.ndim == 2 else (0, 0)
    if 0 in time.shape or rank < 1 or filters % rank:
        raise unsupported(node, f"time weights of shape {time.shape} in groups of {rank}", _AGAIN)
    units = filters // rank
    batches, in_len = x.shape if len(x.shape) == 2 else (0, 0)
    fits = (
        x.elements
        and feature.shape == (filters, in_len)
        and bias.size == units
        and state.elements == batches * filters * memory
        and y.shape == (batches, units)
    )
    if not fits:
        raise unsupported(
            node,
            f"weights of shape {feature.shape} and {time.shape}, {bias.size} biases, a memory of "
            f"{state.elements} and an output of shape {y.shape} do not fit an input of shape {x.shape}",
            _AGAIN,
        )
    (x_scale, x_zp), (y_scale, y_zp) = per_tensor(node, x), per_tensor(node, y)
    feature_scale, time_scale, state_scale = (
        per_channel(node, input_tensor(graph, node, position), 1, axis=0)[0] for position in (1, 2, 4)
    )
    check_accumulators(node, feature.T, None, x)
    # The reference divides in float32.
    with np.errstate(over="ignore", under="ignore"):
        first = rescale(
            node, float(np.float32(x_scale) * np.float32(feature_scale) / np.float32(state_scale))
        )
        second = rescale(node, float(np.float32(state_scale) * np.float32(time_scale) / np.float32(y_scale)))
    fields: dict[str, Field] = {
        "batches": batches,
        "in_len": in_len,
        "units": units,
        "rank": rank,
        "memory": memory,
        "in_zp": x_zp,
        "out_zp": y_zp,
        "feature_mult": first.mult,
        "feature_shift": first.shift,
        "time_mult": second.mult,
        "time_shift": second.shift,
        "feature_weights": Constant(feature.reshape(-1)),
        "time_weights": Constant(time.reshape(-1)),
        "bias": Constant(bias.reshape(-1)),
    }
    return (Step("svdf_s8", (x.index,), (y.index,), fields, states=(state.index,)),)


_AGAIN = "export the model again"


def _require(node: Node, tensor: Tensor, dtype: DType) -> None:
    if tensor.dtype != dtype:
        raise unsupported(
            node,
            f"tensor {tensor.name[:80]!r} is {tensor.dtype}, expected {dtype}",
            "quantise the model to int8 with an int16 memory",
        )


def _constant(graph: Graph, node: Node, position: int, dtype: DType) -> Array:
    tensor = input_tensor(graph, node, position)
    _require(node, tensor, dtype)
    if tensor.data is None:
        raise unsupported(node, f"input {position} is not constant", "use constant weights and biases")
    return tensor.data


def macs(graph: Graph, node: Node) -> int:
    """One an input and filter, and one a filter and value of its memory."""
    batches = math.prod(input_tensor(graph, node, 0).shape[:1])
    return batches * sum(input_tensor(graph, node, position).elements for position in (1, 2))


OP = Op.lowered(
    lower,
    macs=macs,
    types="int8, int16 memory",
    kernels=("svdf_s8",),
    limits="constant weights and biases; weights and memory with zero point 0",
)
