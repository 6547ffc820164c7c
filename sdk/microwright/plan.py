"""Arena offsets: Graph -> Plan.

A tensor lives from the step that writes it to the last step that reads it; graph inputs live from the start,
graph outputs to the end. Buffers whose lives overlap must not share bytes. Placement is greedy by size
(largest first, lowest offset that is free), which TensorFlow Lite Micro uses too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from microwright import kernels, ops
from microwright.errors import TooLarge, UnsupportedOp
from microwright.graph import Graph
from microwright.ops import Step
from microwright.target import PORTABLE, Target

ALIGN_BYTES = 16
_MAX_ARENA_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Buffer:
    """A place in the arena. `first` and `last` are the first and last call during which it is in use."""

    what: str
    offset: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Call:
    """A kernel call of the plan; `node` is the node's position in the graph, `scratch` its arena offset.

    `rejected` says why each cheaper kernel could not be taken.
    """

    node: int
    step: Step
    scratch: int | None
    rejected: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to call, and where everything lives.

    `roots` maps a tensor to the one whose bytes it shares (a reshape's input), itself otherwise; `offsets`
    maps the roots that are not constant to arena offsets.
    """

    graph: Graph
    target: Target
    calls: tuple[Call, ...]
    roots: Mapping[int, int]
    offsets: Mapping[int, int]
    buffers: tuple[Buffer, ...]
    arena_bytes: int


def plan(graph: Graph, target: Target = PORTABLE) -> Plan:
    """Lower every node and place every buffer. Raises UnsupportedOp, or TooLarge above 2 GiB."""
    ops.check(graph)
    roots = _roots(graph)
    choices = [
        (position, kernels.choose(step, target))
        for position, node in enumerate(graph.nodes)
        if not ops.get(node).alias
        for step in ops.get(node).lower(graph, node)
    ]
    steps = [(position, choice.step) for position, choice in choices]
    lives = _lives(graph, roots, [step for _, step in steps])
    wanted = [
        (tensor, graph.tensors[tensor].name, graph.tensors[tensor].size_bytes, first, last)
        for tensor, (first, last) in lives.items()
    ]
    wanted += [
        (-1 - call, "scratch", step.scratch_bytes, call, call)
        for call, (_, step) in enumerate(steps)
        if step.scratch_bytes
    ]
    placed = _place(wanted)
    arena_bytes = max((b.offset + _aligned(b.size_bytes) for b in placed.values()), default=0)
    if arena_bytes > _MAX_ARENA_BYTES:
        raise TooLarge(
            f"the arena of {graph.name[:80]!r} needs {arena_bytes} bytes, more than {_MAX_ARENA_BYTES}",
            "give the model a smaller input or fewer channels",
        )
    return Plan(
        graph=graph,
        target=target,
        calls=tuple(
            Call(
                position,
                choice.step,
                placed[-1 - call].offset if choice.step.scratch_bytes else None,
                choice.rejected,
            )
            for call, (position, choice) in enumerate(choices)
        ),
        roots=roots,
        offsets={tensor: placed[tensor].offset for tensor in lives},
        buffers=tuple(sorted(placed.values(), key=lambda b: (b.offset, b.first, b.last))),
        arena_bytes=arena_bytes,
    )


def _roots(graph: Graph) -> dict[int, int]:
    roots = {tensor.index: tensor.index for tensor in graph.tensors}
    for node in graph.nodes:
        if ops.get(node).alias:
            roots[node.outputs[0]] = roots[node.inputs[0]]
    for output in graph.outputs:
        if graph.tensors[roots[output]].data is not None:
            raise UnsupportedOp(
                f"output {graph.tensors[output].name[:80]!r} is a constant",
                "export a model whose outputs depend on its inputs",
            )
    return roots


def _lives(graph: Graph, roots: Mapping[int, int], steps: list[Step]) -> dict[int, tuple[int, int]]:
    """First and last call that uses each root that is not constant."""
    lives: dict[int, tuple[int, int]] = {}

    def touch(tensor: int, call: int) -> None:
        root = roots[tensor]
        if graph.tensors[root].data is None:
            first, last = lives.get(root, (call, call))
            lives[root] = (min(first, call), max(last, call))

    for tensor in graph.inputs:
        touch(tensor, -1)
    for call, step in enumerate(steps):
        for tensor in (*step.inputs, *step.outputs):
            touch(tensor, call)
    for tensor in graph.outputs:
        touch(tensor, len(steps))
    return lives


def _place(wanted: list[tuple[int, str, int, int, int]]) -> dict[int, Buffer]:
    placed: dict[int, Buffer] = {}
    for key, what, size, first, last in sorted(wanted, key=lambda w: (-w[2], w[3], w[0])):
        others = sorted(
            (b for b in placed.values() if b.first <= last and first <= b.last), key=lambda b: b.offset
        )
        offset = 0
        for other in others:
            if offset + _aligned(size) <= other.offset:
                break
            offset = max(offset, other.offset + _aligned(other.size_bytes))
        placed[key] = Buffer(what, offset, size, first, last)
    return placed


def _aligned(size: int) -> int:
    return (size + ALIGN_BYTES - 1) // ALIGN_BYTES * ALIGN_BYTES
