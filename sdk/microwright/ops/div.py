"""DIV, int8, with broadcasting and fused activation: by the reciprocal of the divisor, in fixed point."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, rescaled
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import activation_range, per_tensor, rescale

# The dividend is shifted left by 23 bits at the least; what is shifted back is not negative.
_MAX_SHIFT = 23


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    broadcast.check(graph, node)
    scale1, scale2, scale = rescaled.scales(graph, node)
    factor = rescale(node, scale1 / (scale2 * scale) if scale2 * scale else float("inf"))
    if factor.shift > _MAX_SHIFT:
        raise unsupported(
            node,
            f"the output's scale {scale:.3g} is too small for {scale1:.3g} divided by {scale2:.3g}",
            "check the calibration data",
        )
    y = output_tensor(graph, node)
    act_min, act_max = activation_range(node, y)
    fields: dict[str, Field] = {
        "in1_zp": per_tensor(node, input_tensor(graph, node, 0))[1],
        "in2_zp": per_tensor(node, input_tensor(graph, node, 1))[1],
        "out_zp": per_tensor(node, y)[1],
        "mult": factor.mult,
        "shift": factor.shift,
        "act_min": act_min,
        "act_max": act_max,
    }
    return (broadcast.step(graph, node, "div_s8", fields),)


OP = Op.lowered(
    lower,
    types="int8",
    kernels=("div_s8",),
    limits="operands that alternate between broadcast and not at most 4 times; divided by 0, the reference "
    "gives anything, here it is the largest or smallest output",
)
