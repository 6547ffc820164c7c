"""ADD, int8, with broadcasting and fused activation."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, activation_range, multiplier, per_tensor

# Inputs get this many more bits before they are rescaled to twice the larger of their scales.
_HEADROOM_BITS = 20


def _multipliers(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Of the two inputs, and of the output from their common scale. Raises UnsupportedOp unless below 1."""
    scale1, _ = per_tensor(node, input_tensor(graph, node, 0))
    scale2, _ = per_tensor(node, input_tensor(graph, node, 1))
    scale, _ = per_tensor(node, output_tensor(graph, node))
    common = 2 * max(scale1, scale2)
    result = tuple(
        multiplier(factor)
        for factor in (scale1 / common, scale2 / common, common / (2.0**_HEADROOM_BITS * scale))
    )
    if result[2].shift > 0:
        raise unsupported(
            node,
            f"the output's scale {scale:.3g} is too small for inputs of scale {max(scale1, scale2):.3g}",
            "check the calibration data",
        )
    return result[0], result[1], result[2]


def check(graph: Graph, node: Node) -> None:
    """int8 operands and output, per tensor, that broadcast."""
    broadcast.check(graph, node)
    activation_range(node, output_tensor(graph, node))
    _multipliers(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    x1, x2, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    nest = broadcast.nest(graph, node)
    first, second, out = _multipliers(graph, node)
    act_min, act_max = activation_range(node, y)
    fields: dict[str, Field] = {
        "extents": nest.extents,
        "strides1": nest.strides1,
        "strides2": nest.strides2,
        "in1_zp": per_tensor(node, x1)[1],
        "in1_mult": first.mult,
        "in1_shift": first.shift,
        "in2_zp": per_tensor(node, x2)[1],
        "in2_mult": second.mult,
        "in2_shift": second.shift,
        "out_zp": per_tensor(node, y)[1],
        "out_mult": out.mult,
        "out_shift": out.shift,
        "act_min": act_min,
        "act_max": act_max,
    }
    return (Step("add_s8", (x1.index, x2.index), (y.index,), fields, overlap=broadcast.overlap(graph, node)),)


OP = Op(check, lower)
