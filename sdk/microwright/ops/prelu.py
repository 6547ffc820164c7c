"""PRELU, int8: a leaky ReLU whose slopes are a tensor, with broadcasting."""

from __future__ import annotations

from microwright.graph import Graph, Node
from microwright.ops import broadcast, rescaled
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor
from microwright.ops.quantized import Multiplier, per_tensor, rescale


def _rescalings(graph: Graph, node: Node) -> tuple[Multiplier, Multiplier]:
    """Of positive values, and of negative ones times their slope."""
    scale, slope_scale, out_scale = rescaled.scales(graph, node)
    return rescale(node, scale / out_scale), rescale(node, scale * slope_scale / out_scale)


def check(graph: Graph, node: Node) -> None:
    """int8 input, slopes and output, per tensor, that broadcast."""
    broadcast.check(graph, node)
    _rescalings(graph, node)


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """One kernel call."""
    positive, negative = _rescalings(graph, node)
    fields: dict[str, Field] = {
        "in_zp": per_tensor(node, input_tensor(graph, node, 0))[1],
        "slope_zp": per_tensor(node, input_tensor(graph, node, 1))[1],
        "out_zp": per_tensor(node, output_tensor(graph, node))[1],
        "mult": positive.mult,
        "shift": positive.shift,
        "slope_mult": negative.mult,
        "slope_shift": negative.shift,
    }
    return (broadcast.step(graph, node, "prelu_s8", fields),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("prelu_s8",),
    limits="operands that alternate between broadcast and not at most 4 times",
)
