"""Broadcasting of operands: the loop nest of the kernels of two and three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from microwright.graph import Graph, Node
from microwright.ops import typed
from microwright.ops.base import Field, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor, require_int8

Shape: TypeAlias = tuple[int, ...]

LOOPS = 4
# What the operators ask for, in words.
LIMITS = "operands that alternate between broadcast and not at most 4 times"


class Nest(NamedTuple):
    """Extents of LOOPS nested loops, outermost first, and each operand's stride along them (0: broadcast)."""

    extents: Shape
    strides1: Shape
    strides2: Shape


def check(graph: Graph, node: Node) -> None:
    """Two int8 operands, quantised per tensor, that broadcast to the output's shape. Raises UnsupportedOp."""
    operands = (input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node))
    for tensor in operands:
        require_int8(node, tensor)
        per_tensor(node, tensor)
    nest(graph, node)


def suffix(graph: Graph, node: Node) -> str:
    """Of the kernel, for two operands and an output of one type. Raises UnsupportedOp for others."""
    return typed.suffix(
        node, input_tensor(graph, node, 0), input_tensor(graph, node, 1), output_tensor(graph, node)
    )


def nest(graph: Graph, node: Node) -> Nest:
    """The loops over the output of a node of two operands. Raises UnsupportedOp."""
    shapes = (input_tensor(graph, node, 0).shape, input_tensor(graph, node, 1).shape)
    extents, (strides1, strides2) = loops(node, shapes, output_tensor(graph, node).shape)
    return Nest(extents, strides1, strides2)


def loops(node: Node, shapes: Sequence[Shape], made: Shape) -> tuple[Shape, list[Shape]]:
    """(extents, strides of each operand) of the loops over an output of shape `made`.

    Neighbouring axes along which the same operands are broadcast are one loop. Raises UnsupportedOp.
    """
    rank = max(map(len, shapes))
    axes = list(zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True))
    said = " and ".join(map(str, shapes))
    if made != tuple(next((n for n in axis if n != 1), 1) for axis in axes) or any(
        len({*axis} - {1}) > 1 for axis in axes
    ):
        raise unsupported(node, f"shapes {said} do not give the output's {made}", "export the model again")

    # Innermost first: extent, and whether each operand moves along it.
    found: list[tuple[int, tuple[bool, ...]]] = []
    for axis, extent in zip(reversed(axes), reversed(made), strict=True):
        moves = tuple(size != 1 for size in axis)
        if extent == 1:
            continue
        if found and found[-1][1] == moves:
            found[-1] = (found[-1][0] * extent, moves)
        else:
            found.append((extent, moves))
    if len(found) > LOOPS:
        raise unsupported(
            node,
            f"shapes {said} alternate between broadcast and not more than {LOOPS} times",
            "reshape the operands so that broadcast axes are next to each other",
        )
    found += [(1, (False,) * len(shapes))] * (LOOPS - len(found))
    strides = [_strides([(extent, moves[i]) for extent, moves in found]) for i in range(len(shapes))]
    return tuple(extent for extent, _ in reversed(found)), strides


def step(graph: Graph, node: Node, kernel: str, fields: Mapping[str, Field]) -> Step:
    """A call of a binary kernel whose parameters are the nest and then `fields`."""
    operands = (input_tensor(graph, node, 0), input_tensor(graph, node, 1))
    output = output_tensor(graph, node)
    return Step(
        kernel,
        tuple(operand.index for operand in operands),
        (output.index,),
        {**nest(graph, node)._asdict(), **fields},
        # Element i is written when element i has been read; those of a broadcast operand are read again.
        overlap={i: 0 for i, operand in enumerate(operands) if operand.elements == output.elements},
    )


def _strides(loops: list[tuple[int, bool]]) -> tuple[int, ...]:
    """Strides of one operand, outermost first, from (extent, moves) innermost first."""
    strides: list[int] = []
    elements = 1
    for extent, moves in loops:
        strides.append(elements if moves else 0)
        elements *= extent if moves else 1
    return tuple(reversed(strides))
