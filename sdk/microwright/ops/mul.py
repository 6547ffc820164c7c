"""MUL, int8, with broadcasting and fused activation."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import Multiplier, activation_range, per_tensor, rescale


def _rescaling(graph: Graph, node: Node) -> Multiplier:
    scale1, _ = per_tensor(node, input_tensor(graph, node, 0))
    scale2, _ = per_tensor(node, input_tensor(graph, node, 1))
    scale, _ = per_tensor(node, output_tensor(graph, node))
    return rescale(node, scale1 * scale2 / scale)


def check(graph: Graph, node: Node) -> None:
    """int8 operands and output, per tensor, that broadcast."""
    broadcast.check(graph, node)
    activation_range(node, output_tensor(graph, node))
    _rescaling(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    x1, x2, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    rescaling = _rescaling(graph, node)
    act_min, act_max = activation_range(node, y)
    fields: dict[str, Field] = {
        "in1_zp": per_tensor(node, x1)[1],
        "in2_zp": per_tensor(node, x2)[1],
        "out_zp": per_tensor(node, y)[1],
        "out_mult": rescaling.mult,
        "out_shift": rescaling.shift,
        "act_min": act_min,
        "act_max": act_max,
    }
    return (broadcast.step(graph, node, "mul_s8", fields),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("mul_s8",),
    limits="operands that alternate between broadcast and not at most 4 times",
)
