"""Functions of one value. Of 8 bits: a table of all 256 results, made ahead of time, for `lookup_8`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from microwright.graph import DType, Graph, Node, Tensor
from microwright.ops import typed
from microwright.ops.base import Constant, Field, Op, Step, always, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor


class Other(NamedTuple):
    """A kernel for another type than int8, and its fields for a node behind `elements`."""

    kernel: str
    fields: Callable[[Graph, Node], Mapping[str, Field]]


def no_fields(graph: Graph, node: Node) -> Mapping[str, Field]:
    """None behind `elements`."""
    return {}


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
    others: Mapping[DType, Other] | None = None,
    inexact: tuple[DType, ...] = (),
) -> Op:
    """An operator of one int8 tensor, and of one of `others`, by the types that need no table.

    `function` gives what a node does to an integer value, as `step` takes it, or raises UnsupportedOp.
    `check` sees the node of int8 first.
    """
    others = {} if others is None else others

    def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
        x, y = input_tensor(graph, node, 0), output_tensor(graph, node)
        if x.dtype in others:
            typed.suffix(node, x, y)
            check_elements(node, x, y)
            fields = {"elements": x.elements, **others[x.dtype].fields(graph, node)}
            # Element i is written when element i has been read.
            return (Step(others[x.dtype].kernel, (x.index,), (y.index,), fields, overlap={0: 0}),)
        check(graph, node)
        return (step(graph, node, function(graph, node)),)

    return Op.lowered(
        lower,
        types=", ".join(("int8", *others)),
        kernels=("lookup_8", *(other.kernel for other in others.values())),
        limits=limits,
        in_micro=in_micro,
        inexact=inexact,
    )


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
