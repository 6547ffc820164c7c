"""QUANTIZE: float32 to int8, or int8 and uint8 from one scale and zero point to another."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import fixed_point, table
from microwright.ops.base import Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, per_tensor, rescale


def _rescaling(graph: Graph, node: Node) -> Multiplier:
    x_scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, _ = per_tensor(node, output_tensor(graph, node))
    return rescale(node, x_scale / y_scale)


def check(graph: Graph, node: Node) -> None:
    """float32 to int8, or between int8 and uint8 (not uint8 to uint8, which the reference has not)."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    if x.dtype == "float32":
        table.check_types(node, (y,), ("int8",))
        table.check_elements(node, x, y)
        per_tensor(node, y)
        return
    table.check_unary(graph, node, ("int8", "uint8"))
    if x.dtype == y.dtype == "uint8":
        raise unsupported(node, "uint8 to uint8", "quantise the model to int8 (microwright quantize)")
    _rescaling(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A kernel for floats, a table for integers."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    y_scale, y_zero_point = per_tensor(node, y)
    if x.dtype == "float32":
        fields = {"elements": x.elements, "scale": y_scale, "zp": y_zero_point}
        # The output grows by a byte for four that have been read.
        return (Step("quantize_f32_s8", (x.index,), (y.index,), fields, overlap={0: 0}),)
    _, x_zero_point = per_tensor(node, x)
    rescaling = _rescaling(graph, node)

    def requantize(x: int) -> int:
        return fixed_point.wrap(fixed_point.requantize(x - x_zero_point, rescaling) + y_zero_point)

    return (table.step(graph, node, requantize),)


OP = Op(
    check,
    lower,
    types="float32, int8 or uint8 to int8, int8 to uint8",
    kernels=("quantize_f32_s8", "lookup_8"),
)
