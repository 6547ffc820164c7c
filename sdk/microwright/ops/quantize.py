"""QUANTIZE: float32 to int8 or int16, or integers from one type, scale and zero point to another."""

from __future__ import annotations

from collections.abc import Mapping

from microwright.graph import DType, Graph, Node, Tensor
from microwright.ops import fixed_point, table, typed
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, limits, per_tensor, rescale

_RESCALE: Mapping[tuple[DType, DType], str] = {
    ("int16", "int16"): "rescale_s16",
    ("int16", "int8"): "rescale_s16_s8",
    ("int8", "int16"): "rescale_s8_s16",
}


def _rescaling(graph: Graph, node: Node) -> Multiplier:
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    return rescale(node, x_scale / y_scale)


def check(graph: Graph, node: Node) -> None:
    """float32 to int8 or int16, or between integers (uint8 only from and to int8)."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if x.dtype == "float32":
        table.check_types(node, (y,), ("int8", "int16"))
        table.check_elements(node, x, y)
        per_tensor(node, y)
        return
    table.check_unary(graph, node, ("int8", "uint8", "int16"))
    if "uint8" in (x.dtype, y.dtype) and "int8" not in (x.dtype, y.dtype):
        raise unsupported(
            node, f"{x.dtype} to {y.dtype}", "quantise the model to int8 (microwright quantize)"
        )
    _rescaling(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A kernel for floats and for int16, a table for 8 bits."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    y_scale, y_zero_point = per_tensor(node, y)
    if x.dtype == "float32":
        fields = {"elements": x.elements, "scale": y_scale, "zp": y_zero_point}
        # The output grows by less than what has been read.
        kernel = f"quantize_f32_{typed.SUFFIXES[y.dtype]}"
        return (Step(kernel, (x.index,), (y.index,), fields, overlap={0: 0}),)
    _, x_zero_point = per_tensor(node, x)
    rescaling = _rescaling(graph, node)
    if "int16" in (x.dtype, y.dtype):
        return (_sixteen_bits(node, x, y, rescaling),)

    def requantize(x: int) -> int:
        return fixed_point.wrap(fixed_point.requantize(x - x_zero_point, rescaling) + y_zero_point)

    return (table.step(graph, node, requantize),)


def _sixteen_bits(node: Node, x: Tensor, y: Tensor, rescaling: Multiplier) -> Step:
    low, high = limits(y)
    fields: dict[str, Field] = {
        "elements": x.elements,
        "in_zp": per_tensor(node, x)[1],
        "out_zp": per_tensor(node, y)[1],
        "mult": rescaling.mult,
        "shift": rescaling.shift,
        "act_min": low,
        "act_max": high,
    }
    # From int8 the output grows by two bytes for one that has been read.
    distance = x.elements if x.dtype == "int8" else 0
    return Step(_RESCALE[x.dtype, y.dtype], (x.index,), (y.index,), fields, overlap={0: distance})


OP = Op(
    check,
    lower,
    types="float32 to int8 or int16; between int8, uint8 and int16",
    kernels=("quantize_f32_s8", "quantize_f32_s16", "lookup_8", *_RESCALE.values()),
    limits="uint8 only from and to int8",
)
