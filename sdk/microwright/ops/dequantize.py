"""DEQUANTIZE: int8 to float32."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import per_tensor


def check(graph: Graph, node: Node) -> None:
    """int8 per tensor in, float32 out."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    table.check_types(node, (x,), ("int8",))
    table.check_types(node, (y,), ("float32",))
    table.check_elements(node, x, y)
    per_tensor(node, x)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One product an element; the reference's double product, rounded to float32, is the same number."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    scale, zero_point = per_tensor(node, x)
    fields = {"elements": x.elements, "scale": scale, "zp": zero_point}
    # The output grows by four bytes for one that has been read: at the end it has caught up with the input.
    return (Step("dequantize_s8_f32", (x.index,), (y.index,), fields, overlap={0: 3 * x.elements}),)


OP = Op(check, lower, types="int8 to float32", kernels=("dequantize_s8_f32",))
