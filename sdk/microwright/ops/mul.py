"""MUL with broadcasting and fused activation."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, integers, typed
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import per_tensor, rescale


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One call of the type's kernel."""
    suffix = broadcast.suffix(graph, node)
    x1, x2, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    fields: dict[str, Field] = {}
    if suffix != "f32":
        fields |= typed.zero_points(node, {"in1": x1, "in2": x2, "out": y})
        scale1, scale2, scale = (per_tensor(node, tensor)[0] for tensor in (x1, x2, y))
        rescaling = rescale(node, scale1 * scale2 / scale)
        fields["out_mult"], fields["out_shift"] = rescaling.mult, rescaling.shift
    fields |= typed.activation(node, y)
    return (broadcast.step(graph, node, f"mul_{suffix}", fields),)


OP = integers.also(
    Op.lowered(lower, types=typed.TYPES, kernels=typed.kernels("mul"), limits=broadcast.LIMITS)
)
