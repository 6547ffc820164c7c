"""Broadcasting of two operands: the loop nest of the binary kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from microwright.graph import Graph, Node
from microwright.ops import typed
from microwright.ops.base import Field, Step, input_tensor, output_tensor, unsupported
from microwright.ops.quantized import per_tensor, require_int8

LOOPS = 4
# What the operators ask for, in words.
LIMITS = "operands that alternate between broadcast and not at most 4 times"


class Nest(NamedTuple):
    """Extents of LOOPS nested loops, outermost first, and each operand's stride along them (0: broadcast)."""

    extents: tuple[int, ...]
    strides1: tuple[int, ...]
    strides2: tuple[int, ...]


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
    """The loops over the output, neighbouring axes that are broadcast alike in one. Raises UnsupportedOp."""
    a, b, y = (
        input_tensor(graph, node, 0).shape,
        input_tensor(graph, node, 1).shape,
        output_tensor(graph, node).shape,
    )
    rank = max(len(a), len(b))
    a_full, b_full = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if y != tuple(q if p == 1 else p for p, q in zip(a_full, b_full, strict=True)) or any(
        p != q and 1 not in (p, q) for p, q in zip(a_full, b_full, strict=True)
    ):
        raise unsupported(node, f"shapes {a} and {b} do not give the output's {y}", "export the model again")

    # Innermost first: extent, and whether each operand moves along it.
    loops: list[tuple[int, bool, bool]] = []
    for p, q in zip(reversed(a_full), reversed(b_full), strict=True):
        extent, moves = q if p == 1 else p, (p != 1, q != 1)
        if extent == 1:
            continue
        if loops and loops[-1][1:] == moves:
            loops[-1] = (loops[-1][0] * extent, *moves)
        else:
            loops.append((extent, *moves))
    if len(loops) > LOOPS:
        raise unsupported(
            node,
            f"shapes {a} and {b} alternate between broadcast and not more than {LOOPS} times",
            "reshape the operands so that broadcast axes are next to each other",
        )
    loops += [(1, False, False)] * (LOOPS - len(loops))
    strides1 = _strides([(extent, moves) for extent, moves, _ in loops])
    strides2 = _strides([(extent, moves) for extent, _, moves in loops])
    return Nest(tuple(extent for extent, _, _ in reversed(loops)), strides1, strides2)


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
