"""DEQUANTIZE: int8 or int16 to float32."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import table, typed
from microwright.ops.base import Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import per_tensor


def check(graph: Graph, node: Node) -> None:
    """int8 or int16 per tensor in, float32 out."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    table.check_types(node, (x,), ("int8", "int16"))
    table.check_types(node, (y,), ("float32",))
    table.check_elements(node, x, y)
    per_tensor(node, x)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One product an element; the reference's double product, rounded to float32, is the same number."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    scale, zero_point = per_tensor(node, x)
    fields = {"elements": x.elements, "scale": scale, "zp": zero_point}
    # The output grows by more bytes than have been read: at the end it has caught up with the input.
    kernel = f"dequantize_{typed.SUFFIXES[x.dtype]}_f32"
    return (Step(kernel, (x.index,), (y.index,), fields, overlap={0: y.size_bytes - x.size_bytes}),)


OP = Op(check, lower, types="int8 or int16 to float32", kernels=("dequantize_s8_f32", "dequantize_s16_f32"))
