"""Comparisons up to the relation, with broadcasting: of int8 by the numbers that they stand for."""

from __future__ import annotations

from microwright.graph import DType, Graph, Node
from microwright.ops import broadcast, table
from microwright.ops.base import Field, Op, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import multiplier, per_tensor

# Bits of the field `accepts` of the kernels.
LESS, EQUAL, GREATER = 1, 2, 4

# The reference broadcasts so many axes.
_MICRO_AXES = 4


def op(accepts: int, *, bools: bool = False) -> Op:
    """An operator that is true for the relations of `accepts`; of truth values as well with `bools`."""
    types: tuple[DType, ...] = ("int8", "int32", "bool") if bools else ("int8", "int32")

    def lower(graph: Graph, node: Node) -> tuple[Step, ...]:
        a, b, y = input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
        table.check_types(node, (a,), types)
        table.check_types(node, (b,), (a.dtype,))
        table.check_types(node, (y,), ("bool",))
        if a.dtype == "int32":
            return (broadcast.step(graph, node, "compare_s32", {"accepts": accepts}),)
        fields: dict[str, Field] = {}
        for position, tensor in enumerate((a, b), 1):
            # Truth values are compared as they are.
            scale, zero_point = per_tensor(node, tensor) if a.dtype == "int8" else (0.5, 0)
            rescaling = multiplier(scale)
            if rescaling.shift > 0:
                raise unsupported(
                    node,
                    f"tensor {tensor.name[:80]!r} has the scale {scale:.3g}, which the reference refuses",
                    "scale the values before they are compared, so that they differ by less than 1",
                )
            fields[f"in{position}_zp"] = zero_point
            fields[f"in{position}_mult"], fields[f"in{position}_shift"] = rescaling.mult, rescaling.shift
        return (broadcast.step(graph, node, "compare_s8", {**fields, "accepts": accepts}),)

    return Op.lowered(
        lower,
        types=f"{', '.join(types[:-1])} or {types[-1]} to bool",
        kernels=("compare_s8", "compare_s32"),
        limits="scales below 1; operands that alternate between broadcast and not at most 4 times",
        in_micro=in_micro,
    )


def in_micro(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro broadcasts up to 4 axes."""
    return len(output_tensor(graph, node).shape) <= _MICRO_AXES
