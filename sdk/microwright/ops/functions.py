"""Functions of real numbers as tables of int8 values, computed in float32 as the reference does.

The float32 nearest to exp(x) and its like is what any good library gives, or next to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from microwright.graph import Graph, Node
from microwright.ops import table
from microwright.ops.base import Op, Step, always, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor

_LIMIT = 2.0**20


def op(
    function: Callable[[Node], Callable[[float], float]],
    *,
    limits: str = "",
    in_micro: Callable[[Graph, Node], bool] = always,
) -> Op:
    """An operator that is a function of a real number, which may depend on the node."""

    def of(graph: Graph, node: Node) -> Callable[[int], int]:
        return _quantized(graph, node, function(node))

    return table.unary(of, check=check, limits=limits, in_micro=in_micro)


def _refuse(graph: Graph, node: Node) -> tuple[Step, ...]:
    raise unsupported(
        node,
        "it is computed in float32, and not of one int8 tensor",
        "quantise what is in front of the layer, and behind it, to int8",
    )


def floats(in_micro: Callable[[Graph, Node], bool] = always) -> Op:
    """An operator that the converter leaves in float32; the pass `tables` makes it a table where it can."""
    return Op.lowered(
        _refuse,
        types="float32 of int8",
        kernels=("lookup_8",),
        limits="what is made of one int8 tensor, and becomes int8 again",
        in_micro=in_micro,
    )


def check(graph: Graph, node: Node) -> None:
    """int8 in and out, per tensor; float32 is for the pass that makes tables of it."""
    if input_tensor(graph, node, 0).dtype == "float32":
        _refuse(graph, node)
    table.check_unary(graph, node)


def _quantized(graph: Graph, node: Node, function: Callable[[float], float]) -> Callable[[int], int]:
    """`function`, whose results are rounded to float32, from the input's integers to the output's."""
    x_scale, x_zero_point = per_tensor(node, input_tensor(graph, node, 0))
    y_scale, y_zero_point = per_tensor(node, output_tensor(graph, node))

    def quantized(value: int) -> int:
        with np.errstate(all="ignore"):
            x = np.float32(x_scale) * np.float32(value - x_zero_point)
            y = np.float32(function(float(x)))
            # QUANTIZE divides; tables of the reference multiply by the inverse.
            scaled = y * (np.float32(1) / np.float32(y_scale))
        real = -_LIMIT if math.isnan(scaled) else min(max(float(scaled), -_LIMIT), _LIMIT)
        return y_zero_point + int(math.copysign(math.floor(abs(real) + 0.5), real))

    return quantized


def in_litert(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro computes it in float32 only."""
    return input_tensor(graph, node, 0).dtype == "float32"
