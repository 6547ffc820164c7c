"""Kernel calls, and where every tensor lives: Graph -> Plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from microwright import ops
from microwright.arena import Buffer, Memory, is_alias, scratch_key, top
from microwright.errors import TooLarge
from microwright.graph import Graph
from microwright.kernels import Choice
from microwright.ops import Step
from microwright.target import PORTABLE, Target

_MAX_ARENA_BYTES = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Call:
    """A kernel call of the plan; `node` is the node's position in the graph, `scratch` its arena offset.

    `instructions` are an estimate; `rejected` says of each faster kernel why it is not taken.
    """

    node: int
    step: Step
    scratch: int | None
    instructions: float
    rejected: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to call, and where everything lives.

    `roots` maps a tensor to the one whose bytes it shares (a reshape's input), itself otherwise; `offsets`
    maps the roots that are not constant to arena offsets. Variables are the first `state_bytes` of the arena,
    behind the LINK_BYTES of one that is split. `parts` are the bytes of the arena in each memory region, one
    or two of them; "" is any memory.
    """

    graph: Graph
    target: Target
    calls: tuple[Call, ...]
    roots: Mapping[int, int]
    offsets: Mapping[int, int]
    buffers: tuple[Buffer, ...]
    state_bytes: int
    parts: Mapping[str, int]

    @property
    def arena_bytes(self) -> int:
        """Of all parts."""
        return sum(self.parts.values())

    @property
    def first_bytes(self) -> int:
        """Of the first part: offsets from here on are in the second, if there is one."""
        return next(iter(self.parts.values()))

    @property
    def split(self) -> bool:
        """Whether there are two parts."""
        return len(self.parts) > 1

    def live(self, call: int) -> list[Buffer]:
        """The buffers in use during a call; -1 is before the first one, len(calls) after the last."""
        return [buffer for buffer in self.buffers if buffer.first <= call <= buffer.last]

    @property
    def constant_bytes(self) -> int:
        """Bytes of the calls' constants in flash, as the kernels take them; those that are equal are one."""
        contents = {constant.content for call in self.calls for constant in call.step.constants}
        return sum(len(values) for _, values in contents)

    def used_bytes(self, call: int) -> int:
        """Bytes of the arena in use during a call, shared ones counted once."""
        used = end = 0
        for buffer in self.live(call):
            start = max(end, buffer.offset)
            end = max(end, buffer.offset + buffer.size_bytes)
            used += max(0, end - start)
        return used

    @property
    def peak(self) -> int:
        """The call that uses most of the arena, the first of several; -1 or len(calls) where none does."""
        times: list[int] = [*range(len(self.calls)), -1, len(self.calls)]
        return max(times, key=self.used_bytes)


def plan(graph: Graph, target: Target = PORTABLE) -> Plan:
    """Lower every node and place every buffer. Raises UnsupportedOp, or TooLarge above 2 GiB.

    The arena lies in the first of the target's rooms that holds it whole, else in two of them. Where it is
    too large for those, layers get slower kernels that need less of it, as few as it takes; where nothing
    fits, it is the smallest arena that was found, in the largest room.
    """
    ops.check(graph)
    plain = lower(graph)
    memory = Memory(graph, [step for _, step in plain])
    choices, placed, parts = memory.planned(target)
    arena_bytes = sum(parts.values())
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
                placed[scratch_key(call)].offset if choice.step.scratch_bytes else None,
                choice.instructions,
                choice.rejected,
            )
            for call, ((position, _), choice) in enumerate(zip(plain, choices, strict=True))
        ),
        roots=memory.roots,
        offsets={tensor: placed[tensor].offset for tensor in (*memory.states, *memory.lives)},
        buffers=tuple(sorted(placed.values(), key=lambda b: (b.offset, b.first, b.last))),
        state_bytes=top(memory.states),
        parts=parts,
    )


def choose(graph: Graph, steps: list[Step], target: Target) -> list[Choice]:
    """The kernels that a plan takes for the plain kernels' calls of a graph, e.g. with other weights."""
    return Memory(graph, steps).planned(target)[0]


def lower(graph: Graph) -> list[tuple[int, Step]]:
    """The plain kernels' calls, each with its node's position in the graph."""
    return [
        (position, step)
        for position, node in enumerate(graph.nodes)
        if not is_alias(graph, position)
        for step in ops.get(node).lower(graph, node)
    ]
