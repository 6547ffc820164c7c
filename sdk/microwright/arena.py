"""Where everything lies in the arena, whichever kernels compute it.

A tensor lives from the step that writes it to the last step that reads it; graph inputs live from the start,
graph outputs to the end, scratch during its call. Buffers whose lives overlap share no bytes, except for the
output of a call and an input that nobody needs afterwards, as far as the kernel's `Step.overlap` allows it.
Variables lie in front of all of them and share no bytes with anything, since inferences keep them.

Where no memory region of the board holds the arena whole, it is split over two: offsets go on from the first
part to the second, and no buffer lies across.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from microwright import kernels, ops, placement
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from microwright.kernels import Choice, Selection
from microwright.ops import Step
from microwright.placement import Wanted
from microwright.target import Room, Target

ALIGN_BYTES = 16
# What a buffer that holds a call's scratch is called.
SCRATCH = "scratch"
# In front of a split arena: where its second part is.
LINK_BYTES = 16
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


def is_alias(graph: Graph, position: int) -> bool:
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
        if is_alias(graph, position):
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
        placed[index] = Buffer(tensor.name, top(placed), tensor.size_bytes, -1, calls)
    return placed


_Planned: TypeAlias = tuple[list[Choice], dict[int, Buffer]]


@dataclass(frozen=True)
class _Space:
    """One room or two for all that is behind the variables; `boundary` is where the second begins."""

    regions: tuple[str, ...]
    bytes: int
    boundary: int | None = None


class Memory:
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

    def planned(self, target: Target) -> tuple[list[Choice], dict[int, Buffer], dict[str, int]]:
        """The kernels for a target, all buffers, placed, and the bytes of the arena in each region."""
        space, (choices, placed) = self._chosen(target)
        start = top(self.states) + (LINK_BYTES if space.boundary is not None else 0)
        states = {
            key: replace(buffer, offset=buffer.offset + start - top(self.states))
            for key, buffer in self.states.items()
        }
        if space.boundary is None:
            behind = {key: replace(buffer, offset=start + buffer.offset) for key, buffer in placed.items()}
            return choices, states | behind, {space.regions[0]: top(states | behind)}
        # The second part follows the first, without what nobody uses between them.
        first = {key: buffer for key, buffer in placed.items() if buffer.offset < space.boundary}
        second = placed.keys() - first.keys()
        gap = space.boundary - top(first)
        behind = {
            key: replace(buffer, offset=start + buffer.offset - (gap if key in second else 0))
            for key, buffer in placed.items()
        }
        first_bytes = start + top(first)
        sizes = (first_bytes, top(states | behind) - first_bytes)
        return choices, states | behind, dict(zip(space.regions, sizes, strict=True))

    def _spaces(self, rooms: Sequence[Room]) -> list[_Space]:
        """Each room, and the two largest together."""
        assert len({room.region for room in rooms}) == len(rooms)
        states = top(self.states)
        spaces = [_Space((room.region,), room.bytes - states) for room in rooms]
        if len(rooms) > 1:
            pair = sorted(sorted(range(len(rooms)), key=lambda i: -rooms[i].bytes)[:2])
            first, second = (rooms[i] for i in pair)
            boundary = (first.bytes - states - LINK_BYTES) // ALIGN_BYTES * ALIGN_BYTES
            if boundary > 0:
                regions = (first.region, second.region)
                spaces.append(_Space(regions, boundary + second.bytes, boundary))
        return spaces

    def _chosen(self, target: Target) -> tuple[_Space, _Planned]:
        """The kernels for a target, and the buffers of tensors and scratch, placed without the variables."""
        selection = Selection(self._plain, kernels.KERNELS, target, self._needed)
        choices = selection.choose({})
        fastest = self._placed(choices)
        if not target.rooms:
            return _Space(("",), 0), fastest
        spaces = self._spaces(target.rooms)
        for space in spaces:
            placed = fastest if space.boundary is None else self._placed(choices, space.boundary)
            if top(placed[1]) <= space.bytes:
                return space, placed
        largest = max((space for space in spaces if space.boundary is None), key=lambda space: space.bytes)
        smallest = self._shrunk(largest, fastest, selection)
        if top(smallest[1]) > largest.bytes and (split := spaces[-1]).boundary is not None:
            shrunk = self._shrunk(split, self._placed(choices, split.boundary), selection)
            if top(shrunk[1]) <= split.bytes:
                return split, shrunk
        return largest, smallest

    def _shrunk(self, space: _Space, fastest: _Planned, selection: Selection) -> _Planned:
        """What fits the space with as few slower kernels as it takes; where nothing does, the smallest."""
        smallest = fastest
        for share in _SHARES:
            rooms = {call: int(share * space.bytes) for call in range(len(self._plain))}
            candidate = self._placed(selection.choose(rooms), space.boundary)
            smallest = min(smallest, candidate, key=lambda p: top(p[1]))
            if top(smallest[1]) <= space.bytes:
                return self._quickened(smallest, fastest, selection, rooms, space)
        return smallest

    def _quickened(
        self, fits: _Planned, fastest: _Planned, selection: Selection, rooms: dict[int, int], space: _Space
    ) -> _Planned:
        """What fits, with more room for calls that lose most by having little, as long as it fits."""

        def loss(call: int) -> float:
            return fits[0][call].instructions - fastest[0][call].instructions

        for call in sorted(range(len(self._plain)), key=loss, reverse=True):
            if loss(call) > 0:
                more = {**rooms, call: space.bytes}
                choices = selection.choose(more)
                if choices[call].step.kernel != fits[0][call].step.kernel:
                    candidate = self._placed(choices, space.boundary)
                    if top(candidate[1]) <= space.bytes:
                        fits, rooms = candidate, more
        return fits

    def _placed(self, choices: list[Choice], boundary: int | None = None) -> _Planned:
        steps = dict(enumerate(choice.step for choice in choices))
        buffers = self._tensors | _scratch_buffers(steps)
        at = None if boundary is None else boundary // ALIGN_BYTES
        offsets = placement.place(*self._problem(buffers, steps), at)
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
        scratch_key(call): Buffer(SCRATCH, 0, step.scratch_bytes, call, call)
        for call, step in steps.items()
        if step.scratch_bytes
    }


def scratch_key(call: int) -> int:
    """What a call's scratch is called among the tensors."""
    return -1 - call


def top(placed: Mapping[int, Buffer]) -> int:
    return max((b.offset + _blocks(b.size_bytes) * ALIGN_BYTES for b in placed.values()), default=0)


def _blocks(size_bytes: int) -> int:
    """Bytes in units of ALIGN_BYTES, in which the arena is planned; rounded up."""
    return -(-size_bytes // ALIGN_BYTES)
