"""Arena offsets: Graph -> Plan.

A tensor lives from the step that writes it to the last step that reads it; graph inputs live from the start,
graph outputs to the end, scratch during its call. Buffers whose lives overlap share no bytes, except for the
output of a call and an input that nobody needs afterwards, as far as the kernel's `Step.overlap` allows it.
Variables lie in front of all of them and share no bytes with anything, since inferences keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from microwright import kernels, ops, placement
from microwright.errors import TooLarge, UnsupportedOp
from microwright.graph import Graph
from microwright.kernels import Choice, Selection
from microwright.ops import Step
from microwright.placement import Wanted
from microwright.target import PORTABLE, Target

ALIGN_BYTES = 16
# What a buffer that holds a call's scratch is called.
SCRATCH = "scratch"
_MAX_ARENA_BYTES = 2**31 - 1
# Where the arena is too large, the shares of what there is that each call may need. All together may need
# more than the largest, since one tensor's place forces the next one's.
_SHARES = (1.0, 0.9, 0.75, 0.5, 0.0)


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
    maps the roots that are not constant to arena offsets. The first `state_bytes` of the arena are variables.
    """

    graph: Graph
    target: Target
    calls: tuple[Call, ...]
    roots: Mapping[int, int]
    offsets: Mapping[int, int]
    buffers: tuple[Buffer, ...]
    state_bytes: int
    arena_bytes: int

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

    Where the arena is too large for the target, layers get slower kernels that need less of it, as few as
    it takes; where nothing fits, it is the smallest arena that was found.
    """
    ops.check(graph)
    plain = lower(graph)
    memory = _Memory(graph, [step for _, step in plain])
    choices, placed = memory.planned(target)
    arena_bytes = _top(placed)
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
                placed[_scratch(call)].offset if choice.step.scratch_bytes else None,
                choice.instructions,
                choice.rejected,
            )
            for call, ((position, _), choice) in enumerate(zip(plain, choices, strict=True))
        ),
        roots=memory.roots,
        offsets={tensor: placed[tensor].offset for tensor in (*memory.states, *memory.lives)},
        buffers=tuple(sorted(placed.values(), key=lambda b: (b.offset, b.first, b.last))),
        state_bytes=_top(memory.states),
        arena_bytes=arena_bytes,
    )


def choose(graph: Graph, steps: list[Step], target: Target) -> list[Choice]:
    """The kernels that a plan takes for the plain kernels' calls of a graph, e.g. with other weights."""
    return _Memory(graph, steps).planned(target)[0]


def lower(graph: Graph) -> list[tuple[int, Step]]:
    """The plain kernels' calls, each with its node's position in the graph."""
    return [
        (position, step)
        for position, node in enumerate(graph.nodes)
        if not _is_alias(graph, position)
        for step in ops.get(node).lower(graph, node)
    ]


def _is_alias(graph: Graph, position: int) -> bool:
    """Whether a node's output is its first input's bytes: of a reshape, or of a variable that is read.

    The latter where nothing is assigned to the variable before the last use of what was read.
    """
    node = graph.nodes[position]
    if node.op != "READ_VARIABLE":
        return ops.get(node).alias
    after = range(position + 1, len(graph.nodes))
    assigned = next((i for i in after if node.inputs[0] in graph.nodes[i].outputs), None)
    if assigned is None:
        return True
    names = set(node.outputs)
    for other in graph.nodes[position + 1 : assigned]:
        if names & set(other.inputs) and ops.get(other).alias:
            names.update(other.outputs)
    used = {i for other in graph.nodes[assigned:] for i in other.inputs}
    return not names & (used | set(graph.outputs))


def _roots(graph: Graph) -> dict[int, int]:
    roots = {tensor.index: tensor.index for tensor in graph.tensors}
    for position, node in enumerate(graph.nodes):
        if _is_alias(graph, position):
            roots[node.outputs[0]] = roots[node.inputs[0]]
    for output in graph.outputs:
        if graph.tensors[roots[output]].data is not None:
            raise UnsupportedOp(
                f"output {graph.tensors[output].name[:80]!r} is a constant",
                "export a model whose outputs depend on its inputs",
            )
    return roots


def _lives(graph: Graph, roots: Mapping[int, int], steps: list[Step]) -> dict[int, tuple[int, int]]:
    """First and last call that uses each root that is neither constant nor a variable."""
    lives: dict[int, tuple[int, int]] = {}

    def touch(tensor: int, call: int) -> None:
        root = roots[tensor]
        if graph.tensors[root].data is None and graph.tensors[root].state is None:
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


def _states(graph: Graph, calls: int) -> dict[int, Buffer]:
    """The variables, one behind the other; in use before the first call and after the last."""
    placed: dict[int, Buffer] = {}
    for index in graph.states:
        tensor = graph.tensors[index]
        placed[index] = Buffer(tensor.name, _top(placed), tensor.size_bytes, -1, calls)
    return placed


_Planned: TypeAlias = tuple[list[Choice], dict[int, Buffer]]


class _Memory:
    """The arena of a graph, whichever kernels compute it.

    roots   as in Plan
    lives   first and last call that uses each root that is neither constant nor a variable
    states  where each variable lies
    """

    def __init__(self, graph: Graph, plain: list[Step]) -> None:
        self.roots = _roots(graph)
        self.lives = _lives(graph, self.roots, plain)
        self.states = _states(graph, len(plain))
        self._plain = plain
        self._tensors = {
            tensor: Buffer(graph.tensors[tensor].name, 0, graph.tensors[tensor].size_bytes, first, last)
            for tensor, (first, last) in self.lives.items()
        }

    def planned(self, target: Target) -> _Planned:
        """The kernels for a target, and all buffers, placed."""
        choices, placed = self._chosen(target)
        start = _top(self.states)
        behind = {key: replace(buffer, offset=start + buffer.offset) for key, buffer in placed.items()}
        return choices, self.states | behind

    def _chosen(self, target: Target) -> _Planned:
        """The kernels for a target, and the buffers of tensors and scratch, placed without the variables."""
        selection = Selection(self._plain, kernels.KERNELS, target, self._needed)
        fastest = self._placed(selection.choose({}))
        if target.arena_bytes is None:
            return fastest
        limit = target.arena_bytes - _top(self.states)
        if _top(fastest[1]) <= limit:
            return fastest
        smallest = fastest
        for share in _SHARES:
            rooms = {call: int(share * limit) for call in range(len(self._plain))}
            smallest = min(smallest, self._placed(selection.choose(rooms)), key=lambda p: _top(p[1]))
            if _top(smallest[1]) <= limit:
                return self._quickened(smallest, fastest, selection, rooms, limit)
        return smallest

    def _quickened(
        self, fits: _Planned, fastest: _Planned, selection: Selection, rooms: dict[int, int], limit: int
    ) -> _Planned:
        """What fits, with more room for calls that lose most by having little, as long as it fits."""

        def loss(call: int) -> float:
            return fits[0][call].instructions - fastest[0][call].instructions

        for call in sorted(range(len(self._plain)), key=loss, reverse=True):
            if loss(call) > 0:
                more = {**rooms, call: limit}
                choices = selection.choose(more)
                if choices[call].step.kernel != fits[0][call].step.kernel:
                    candidate = self._placed(choices)
                    if _top(candidate[1]) <= limit:
                        fits, rooms = candidate, more
        return fits

    def _placed(self, choices: list[Choice]) -> _Planned:
        steps = dict(enumerate(choice.step for choice in choices))
        buffers = self._tensors | _scratch_buffers(steps)
        offsets = placement.place(*self._problem(buffers, steps))
        placed = {
            key: replace(buffer, offset=offset * ALIGN_BYTES)
            for (key, buffer), offset in zip(buffers.items(), offsets, strict=True)
        }
        return choices, placed

    def _needed(self, call: int, step: Step) -> int:
        """Bytes of the arena in use during a call that the step computes, at the least."""
        live = {key: b for key, b in self._tensors.items() if b.first <= call <= b.last}
        problem = self._problem(live | _scratch_buffers({call: step}), {call: step})
        return placement.needed(*problem, call) * ALIGN_BYTES

    def _problem(
        self, buffers: Mapping[int, Buffer], steps: Mapping[int, Step]
    ) -> tuple[list[Wanted], dict[tuple[int, int], int | None]]:
        """The buffers in units of ALIGN_BYTES, in their order, and how the steps let them overlap."""
        number = {key: i for i, key in enumerate(buffers)}
        wanted = [Wanted(_blocks(b.size_bytes), b.first, b.last) for b in buffers.values()]
        overlaps = {
            (number[source], number[output]): None if distance is None else _blocks(distance)
            for call, step in steps.items()
            for (source, output), distance in self._overlaps(call, step).items()
        }
        return wanted, overlaps

    def _overlaps(self, call: int, step: Step) -> dict[tuple[int, int], int | None]:
        """(input, output) whose bytes may overlap -> the distance in bytes, as in Step.overlap."""
        overlaps: dict[tuple[int, int], int | None] = {}
        # An output that an earlier call began to write holds something already.
        if len(step.outputs) != 1:
            return overlaps
        output = self.roots[step.outputs[0]]
        if output not in self.lives or self.lives[output][0] != call:
            return overlaps
        for source in {self.roots[tensor] for tensor in step.inputs} & self.lives.keys():
            positions = [i for i, tensor in enumerate(step.inputs) if self.roots[tensor] == source]
            if self.lives[source][1] == call and step.overlap.keys() >= set(positions):
                distances = [step.overlap[i] for i in positions]
                known = [distance for distance in distances if distance is not None]
                if len(known) == len(distances):
                    overlaps[source, output] = max(known)
                elif max(known, default=0) <= 0:
                    overlaps[source, output] = None
        return overlaps


def _scratch_buffers(steps: Mapping[int, Step]) -> dict[int, Buffer]:
    return {
        _scratch(call): Buffer(SCRATCH, 0, step.scratch_bytes, call, call)
        for call, step in steps.items()
        if step.scratch_bytes
    }


def _scratch(call: int) -> int:
    """What a call's scratch is called among the tensors."""
    return -1 - call


def _top(placed: Mapping[int, Buffer]) -> int:
    return max((b.offset + _blocks(b.size_bytes) * ALIGN_BYTES for b in placed.values()), default=0)


def _blocks(size_bytes: int) -> int:
    """Bytes in units of ALIGN_BYTES, in which the arena is planned; rounded up."""
    return -(-size_bytes // ALIGN_BYTES)
