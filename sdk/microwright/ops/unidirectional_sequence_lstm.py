"""UNIDIRECTIONAL_SEQUENCE_LSTM, int8 with an int16 cell: an LSTM layer over a sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from microwright.graph import Array, DType, Graph, Node, Tensor
from microwright.ops.base import (
    Constant,
    Field,
    Op,
    Step,
    input_tensor,
    optional_input,
    output_tensor,
    unsupported,
)
from microwright.ops.quantized import per_channel, per_tensor, require_int8, rescale
from microwright.ops.weighted import check_accumulators

_INPUTS = 24
_HIDDEN, _CELL = 18, 19
# Gates, and which operands they have: weights, recurrent weights, bias.
_GATES: Mapping[str, tuple[int, int, int]] = {
    "input": (1, 5, 12),
    "forget": (2, 6, 13),
    "cell": (3, 7, 14),
    "output": (4, 8, 15),
}
# Weights from the cell, a projection, layer normalisation.
_VARIANTS = (9, 10, 11, 16, 17, 20, 21, 22, 23)
# The scale of what sigmoid and tanh are taken of, and of what they give.
_SUM_SCALE, _GATE_SCALE = 2.0**-12, 2.0**-15
# Scales of the cell, by their exponents.
_LEAST_EXPONENT, _LARGEST_EXPONENT = -24, 0
_NO_CLIP = 1 << 15
_AGAIN = "export the model again"
_QUANTIZE = "quantise the model to int8 (microwright quantize)"


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of lstm_s8."""
    _check_variant(graph, node)
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    hidden, cell = _state(graph, node, _HIDDEN, "int8"), _state(graph, node, _CELL, "int16")
    require_int8(node, x)
    require_int8(node, y)
    if len(x.shape) != 3 or 0 in x.shape or len(y.shape) != 3 or y.shape[:2] != x.shape[:2]:
        raise unsupported(node, f"an input of shape {x.shape} and an output of shape {y.shape}", _AGAIN)
    time_major = bool(node.options["time_major"])
    steps, batches = x.shape[:2] if time_major else x.shape[1::-1]
    in_len, units = x.shape[2], y.shape[2]
    if not hidden.elements == cell.elements == batches * units > 0:
        raise unsupported(
            node, f"states of shape {hidden.shape} and {cell.shape} for {batches} times {units} units", _AGAIN
        )
    hidden_scale, hidden_zp = per_tensor(node, hidden)
    (cell_scale,) = per_channel(node, cell, 1, axis=0)
    mantissa, exponent = math.frexp(cell_scale)
    exponent -= 1
    if mantissa != 0.5 or not _LEAST_EXPONENT <= exponent <= _LARGEST_EXPONENT:
        raise unsupported(
            node, f"its cell has the scale {cell_scale:g}, which is no usual power of two", _QUANTIZE
        )
    keep = rescale(node, _GATE_SCALE * cell_scale / cell_scale)
    add = rescale(node, _GATE_SCALE * _GATE_SCALE / cell_scale)
    out = rescale(node, _GATE_SCALE * _GATE_SCALE / hidden_scale)
    # The argument of tanh has scale 2^-12 / 3.
    left = exponent + 12
    fields: dict[str, Field] = {
        "batches": batches,
        "steps": steps,
        "in_len": in_len,
        "units": units,
        "in_batch": 1 if time_major else steps,
        "in_step": batches if time_major else 1,
        "hidden_zp": hidden_zp,
    }
    for name in _GATES:
        fields |= _gate(graph, node, name, x, hidden)
    fields |= {
        "keep_mult": keep.mult,
        "keep_shift": keep.shift,
        "add_mult": add.mult,
        "add_shift": add.shift,
        "hidden_mult": out.mult,
        "hidden_shift": out.shift,
        "clip": _clip(node, cell_scale),
        "tanh_mult": 3 << max(left, 0),
        "tanh_shift": max(-left, 0),
    }
    return (Step("lstm_s8", (x.index,), (y.index,), fields, states=(hidden.index, cell.index)),)


def _check_variant(graph: Graph, node: Node) -> None:
    if len(node.inputs) != _INPUTS:
        raise unsupported(node, f"it has {len(node.inputs)} inputs, expected {_INPUTS}", _AGAIN)
    for position in _VARIANTS:
        if optional_input(graph, node, position) is not None:
            raise unsupported(
                node,
                f"it has input {position}, of an LSTM with peepholes, projection or layer normalisation",
                "use a plain LSTM layer",
            )
    if node.options["fused_activation_function"] != "TANH":
        raise unsupported(
            node, f"its activation is {node.options['fused_activation_function']}", "use the activation tanh"
        )


def _state(graph: Graph, node: Node, position: int, dtype: DType) -> Tensor:
    tensor = input_tensor(graph, node, position)
    if tensor.state is None:
        raise unsupported(node, f"its state, input {position}, is no variable", _AGAIN)
    return _typed(node, tensor, dtype)


def _typed(node: Node, tensor: Tensor, dtype: DType) -> Tensor:
    if tensor.dtype != dtype:
        raise unsupported(node, f"tensor {tensor.name[:80]!r} is {tensor.dtype}, expected {dtype}", _QUANTIZE)
    return tensor


def _gate(graph: Graph, node: Node, name: str, x: Tensor, hidden: Tensor) -> dict[str, Field]:
    """The fields of a gate, of the struct's member `name`; biases have the zero points' products in them."""
    in_len, units = x.shape[2], output_tensor(graph, node).shape[2]
    first, second, third = _GATES[name]
    bias = optional_input(graph, node, third)
    given = None if bias is None else _values(node, _typed(node, bias, "int32"), (units,))
    fields: dict[str, Field] = {}
    for prefix, position, source, shape, added in (
        ("", first, x, (units, in_len), given),
        ("recurrent_", second, hidden, (units, units), None),
    ):
        tensor = _typed(node, input_tensor(graph, node, position), "int8")
        weights = _values(node, tensor, shape)
        scale, zero_point = per_tensor(node, source)
        check_accumulators(node, weights.T, added, source)
        start = np.zeros(units, np.int64) if added is None else added.astype(np.int64)
        factor = rescale(node, scale * per_channel(node, tensor, 1, axis=0)[0] / _SUM_SCALE)
        fields |= {
            f"{name}.{prefix}weights": Constant(weights.reshape(-1)),
            f"{name}.{prefix}bias": Constant(
                (start - zero_point * weights.sum(axis=1, dtype=np.int64)).astype(np.int32)
            ),
            f"{name}.{prefix}mult": factor.mult,
            f"{name}.{prefix}shift": factor.shift,
        }
    return fields


def _values(node: Node, tensor: Tensor, shape: tuple[int, ...]) -> Array:
    if tensor.data is None:
        raise unsupported(
            node, f"tensor {tensor.name[:80]!r} is not constant", "use constant weights and biases"
        )
    if tensor.shape != shape:
        raise unsupported(
            node, f"tensor {tensor.name[:80]!r} has shape {tensor.shape}, expected {shape}", _AGAIN
        )
    return tensor.data


def _clip(node: Node, cell_scale: float) -> int:
    clip = node.options["cell_clip"]
    assert isinstance(clip, float)
    if clip < 0:
        raise unsupported(node, f"its cell is clipped at {clip:g}", _AGAIN)
    return int(min(clip / cell_scale, 32767.0)) if clip else _NO_CLIP


def macs(graph: Graph, node: Node) -> int:
    """One a weight and step of a sequence."""
    weights = sum(input_tensor(graph, node, i).elements for gate in _GATES.values() for i in gate[:2])
    return weights * math.prod(input_tensor(graph, node, 0).shape[:2])


OP = Op.lowered(
    lower,
    macs=macs,
    types="int8, int16 cell",
    kernels=("lstm_s8",),
    limits="tanh; no peepholes, projection or layer normalisation; weights with zero point 0",
)
