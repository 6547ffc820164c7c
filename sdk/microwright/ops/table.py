"""Functions of one 8-bit value: a table of all 256 results, made ahead of time, for the kernel `lookup_8`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microwright.graph import DType, Graph, Node, Tensor
from microwright.ops.base import Constant, Op, Step, always, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


def check_types(node: Node, tensors: tuple[Tensor, ...], allowed: tuple[DType, ...]) -> None:
    """Raise UnsupportedOp for a tensor of another type than the allowed ones."""
    for tensor in tensors:
        if tensor.dtype not in allowed:
            raise unsupported(
                node,
                f"tensor {tensor.name[:80]!r} is {tensor.dtype}, the kernel takes {' or '.join(allowed)}",
                "quantise the whole model to int8 (microwright quantize)",
            )


def check_unary(graph: Graph, node: Node, allowed: tuple[DType, ...] = ("int8",)) -> tuple[Tensor, Tensor]:
    """(input, output), of equal size, of allowed types and quantised per tensor. Raises UnsupportedOp."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    check_types(node, (x, y), allowed)
    check_elements(node, x, y)
    per_tensor(node, x)
    per_tensor(node, y)
    return x, y


def check_elements(node: Node, x: Tensor, y: Tensor) -> None:
    """Raise UnsupportedOp where two tensors have different numbers of elements."""
    if x.elements != y.elements:
        raise unsupported(
            node, f"input has {x.elements} elements, output {y.elements}", "export the model again"
        )


def unary(
    function: Callable[[Graph, Node], Callable[[int], int]],
    *,
    check: Callable[[Graph, Node], object] = check_unary,
    limits: str = "",
    in_micro: Callable[[Graph, Node], bool] = always,
) -> Op:
    """An operator of one int8 tensor.

    `function` gives what a node does to an integer value, as `step` takes it, or raises UnsupportedOp.
    `check` sees the node first.
    """

    def checked(graph: Graph, node: Node) -> None:
        check(graph, node)
        function(graph, node)

    def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
        return (step(graph, node, function(graph, node)),)

    return Op(checked, lower, types="int8", kernels=("lookup_8",), limits=limits, in_micro=in_micro)


def step(graph: Graph, node: Node, function: Callable[[int], int]) -> Step:
    """Table of a function from the input's integer values to the output's, clamped to the output's type."""
    x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
    in_bytes = np.arange(256, dtype=np.uint8)
    inputs = in_bytes.view(np.int8) if x.dtype == "int8" else in_bytes
    low, high = (-128, 127) if y.dtype == "int8" else (0, 255)
    outputs = [min(max(function(int(value)), low), high) & 0xFF for value in inputs]
    return Step(
        "lookup_8",
        (x.index,),
        (y.index,),
        {"elements": x.elements, "table": Constant(np.array(outputs, dtype=np.uint8))},
        overlap={0: 0},  # byte i is written when byte i has been read
    )
