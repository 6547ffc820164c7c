"""SOFTMAX over the last axis, int8. The output's scale is 1/256 and its zero point -128."""

from __future__ import annotations

import math

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import multiplier, per_tensor

# The argument of exp is in Q5.26: what lies 31 or more below the maximum counts as 0.
_INTEGER_BITS = 5
# 4096 elements equal to the maximum would overflow the sum in Q12.19.
_MAX_DEPTH = 4095


def _beta(node: Node) -> float:
    beta = node.options.get("beta", 1.0)
    return float(beta) if isinstance(beta, (int, float)) else math.nan


def _factor(graph: Graph, node: Node) -> float:
    """From differences of the input's integers to the argument of exp in Q5.26."""
    scale, _ = per_tensor(node, input_tensor(graph, node, 0))
    return _beta(node) * scale * 2.0 ** (31 - _INTEGER_BITS)


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, of one shape."""
    x, y = table.check_unary(graph, node)
    if x.shape != y.shape or not x.shape:
        raise unsupported(node, f"input has shape {x.shape}, output {y.shape}", "export the model again")
    if per_tensor(node, y) != (1 / 256, -128):
        raise unsupported(
            node, "the output's scale is not 1/256 with zero point -128", "quantise the model again"
        )
    if not 1 <= x.shape[-1] <= _MAX_DEPTH:
        raise unsupported(
            node, f"{x.shape[-1]} classes, the kernel takes 1 to {_MAX_DEPTH}", "use a smaller last axis"
        )
    scale, _ = per_tensor(node, x)
    if not _factor(graph, node) > 1.0:
        raise unsupported(
            node,
            f"beta {_beta(node):.3g} times the input's scale {scale:.3g} is out of range",
            "check the calibration data and the layer's beta",
        )


def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
    """A single call; exp is computed on the device, since a table of it takes more flash than that code."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    # Capped where a difference of 1 is already too much.
    rescaling = multiplier(min(_factor(graph, node), 2.0**31 - 1.0))
    radius = math.floor(31 * 2.0 ** (31 - _INTEGER_BITS) / 2.0**rescaling.shift)
    depth = x.shape[-1]
    fields: dict[str, Field] = {
        "rows": x.elements // depth,
        "depth": depth,
        "mult": rescaling.mult,
        "shift": rescaling.shift,
        "entries": min(radius, 255) + 1,
    }
    # An element is written when it, and all that its row's sum needs, has been read.
    return (Step("softmax_s8", (x.index,), (y.index,), fields, scratch_bytes=4 * depth, overlap={0: 0}),)


OP = Op(
    check,
    lower,
    types="int8",
    kernels=("softmax_s8",),
    limits="up to 4095 classes; an output of scale 1/256 and zero point -128",
)
