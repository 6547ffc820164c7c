"""Operands that are rescaled to twice the larger of their scales before they meet: sums and differences."""

from __future__ import annotations

from collections.abc import Mapping

from microwright.graph import DType, Graph, Node
from microwright.ops import broadcast, typed
from microwright.ops.base import Field, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import Multiplier, multiplier, per_tensor

# So many more bits operands get before they are rescaled.
HEADROOM_BITS: Mapping[DType, int] = {"int8": 20, "int16": 15}


def scales(graph: Graph, node: Node) -> tuple[float, float, float]:
    """Of the two operands and the output."""
    first, second = (per_tensor(node, input_tensor(graph, node, i))[0] for i in range(2))
    return first, second, per_tensor(node, output_tensor(graph, node))[0]


def multipliers(
    graph: Graph, node: Node, first: float, second: float, out: float
) -> tuple[Multiplier, Multiplier, Multiplier]:
    """Fixed-point forms of the factors. Raises UnsupportedOp where that of the output is not below 1."""
    if not out < 1.0 or multiplier(out).shift > 0:
        scale1, scale2, scale = scales(graph, node)
        raise unsupported(
            node,
            f"the output's scale {scale:.3g} is too small for inputs of scale {max(scale1, scale2):.3g}",
            "check the calibration data",
        )
    return multiplier(first), multiplier(second), multiplier(out)


def step(graph: Graph, node: Node, kernel: str, factors: tuple[Multiplier, Multiplier, Multiplier]) -> Step:
    """The kernel's call; with the bounds of a fused activation where the operator can have one."""
    tensors = (input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node))
    fields: dict[str, Field] = {}
    for name, tensor, factor in zip(("in1", "in2", "out"), tensors, factors, strict=True):
        fields |= typed.zero_points(node, {name: tensor})
        fields[f"{name}_mult"], fields[f"{name}_shift"] = factor.mult, factor.shift
    if "fused_activation_function" in node.options:
        fields |= typed.activation(node, tensors[-1])
    return broadcast.step(graph, node, kernel, fields)
