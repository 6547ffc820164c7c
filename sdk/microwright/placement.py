"""Offsets of buffers in one memory: as little of it as a search finds.

Two buffers in use at the same time must not share bytes, but for an output that a kernel may write over an
input it is done with: there, only some differences of their offsets are forbidden. So the whole problem is a
list of forbidden open intervals for the difference of two offsets; apart, at a distance and in place are the
same to the search. Where the memory is two, one behind the other in these offsets, no buffer may lie across
the boundary: an interval that is forbidden for its own offset.

The search places buffers one by one, each at the lowest offset that those before it leave, so only the order
matters: placed in the order of its offsets, an optimal placement comes out again, or a lower one, as long as
no distance is negative. It starts from a few natural orders and moves buffers in them: those that reach the
top, and those that they rest on. It ends where a lower bound is reached, which is the rule for neural
networks, or after a number of moves. The same buffers always get the same offsets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Moves in each starting order, and fewer in a large graph: all together may look at so many intervals.
_MOVES = 150
_INTERVALS = 500_000


@dataclass(frozen=True)
class Wanted:
    """A buffer of `size` units that is in use from time `first` to time `last`, both included."""

    size: int
    first: int
    last: int


# (input, output) -> the least difference of the input's offset to the output's; None: the same offset only.
# The input's last time is the output's first.
Overlaps = Mapping[tuple[int, int], int | None]


@dataclass(frozen=True)
class _Gap:
    """A buffer's offset less that of `other` is not strictly between `low` and `high`."""

    other: int
    low: int
    high: int


_Gaps = Sequence[Sequence[_Gap]]
# The offsets of each buffer that are not allowed, both ends excluded.
_Across = Sequence[tuple[int, int]]


def place(wanted: Sequence[Wanted], overlaps: Overlaps, boundary: int | None = None) -> list[int]:
    """Offsets, in the order of `wanted`, in the units of the sizes; `boundary` is an offset, if any."""
    gaps = _gaps(wanted, overlaps)
    across = _across(wanted, boundary)
    bound = max((needed(wanted, overlaps, time) for time in {buffer.first for buffer in wanted}), default=0)
    orders = _orders(wanted, gaps)
    moves = min(_MOVES, _INTERVALS // (len(orders) * (1 + sum(map(len, gaps)))))
    best: list[int] = []
    for order in orders:
        offsets = _improved(order, wanted, gaps, across, bound, moves)
        if not best or _top(wanted, offsets) < _top(wanted, best):
            best = offsets
        if _top(wanted, best) <= bound:
            break
    return best


def _gaps(wanted: Sequence[Wanted], overlaps: Overlaps) -> _Gaps:
    gaps: list[list[_Gap]] = [[] for _ in wanted]

    def forbid(buffer: int, other: int, low: int, high: int) -> None:
        if low < high:
            gaps[buffer].append(_Gap(other, low, high))
            gaps[other].append(_Gap(buffer, -high, -low))

    by_start = sorted(range(len(wanted)), key=lambda i: wanted[i].first)
    for position, older in enumerate(by_start):
        for newer in by_start[position + 1 :]:
            if wanted[newer].first > wanted[older].last:
                break
            low, high = -wanted[older].size, wanted[newer].size
            if (older, newer) not in overlaps:
                forbid(older, newer, low, high)
            elif (distance := overlaps[older, newer]) is None:
                forbid(older, newer, low, 0)
                forbid(older, newer, 0, high)
            else:
                forbid(older, newer, low, min(distance, high))
    return gaps


def _across(wanted: Sequence[Wanted], boundary: int | None) -> _Across:
    if boundary is None:
        return [(0, 0)] * len(wanted)
    return [(boundary - buffer.size, boundary) for buffer in wanted]


def needed(wanted: Sequence[Wanted], overlaps: Overlaps, time: int) -> int:
    """A size that no placement goes below: the buffers in use at a time, as far as they cannot overlap."""
    pairs = [pair for pair in overlaps if wanted[pair[1]].first == time]
    live = {i for i, buffer in enumerate(wanted) if buffer.first <= time <= buffer.last}
    inputs, outputs = ({pair[side] for pair in pairs} for side in (0, 1))
    shared = max(sum(wanted[i].size for i in side) for side in (inputs, outputs))
    for source, output in pairs:
        apart = wanted[source].size + wanted[output].size
        at_distance = wanted[source].size + (overlaps[source, output] or 0)
        shared = max(shared, min(apart, max(at_distance, wanted[output].size)))
    return sum(wanted[i].size for i in live - inputs - outputs) + shared


def _orders(wanted: Sequence[Wanted], gaps: _Gaps) -> list[list[int]]:
    """Largest first: by size, by size with the largest that it may not overlap, by size times duration."""
    keys: tuple[Callable[[int], int], ...] = (
        lambda i: wanted[i].size,
        lambda i: wanted[i].size + max((wanted[gap.other].size for gap in gaps[i]), default=0),
        lambda i: wanted[i].size * (wanted[i].last - wanted[i].first + 1),
    )
    return [sorted(range(len(wanted)), key=lambda i: (-key(i), wanted[i].first, i)) for key in keys]


def _improved(
    order: list[int], wanted: Sequence[Wanted], gaps: _Gaps, across: _Across, bound: int, moves: int
) -> list[int]:
    """Offsets of the best order that moves of single buffers lead to; sideways ones are taken as well."""
    # Not for secrets: a fixed seed, so that a model always gets the same plan.
    chance = random.Random(0)
    offsets = _lowest(order, gaps, across)
    for _ in range(moves):
        if _top(wanted, offsets) <= bound:
            break
        pillars = _pillars(wanted, offsets, gaps)
        moved = list(order)
        moved.remove(buffer := pillars[int(chance.random() * len(pillars))])
        moved.insert(int(chance.random() * len(order)), buffer)
        candidate = _lowest(moved, gaps, across)
        if _top(wanted, candidate) <= _top(wanted, offsets):
            order, offsets = moved, candidate
    return offsets


def _top(wanted: Sequence[Wanted], offsets: Sequence[int]) -> int:
    return max((offset + buffer.size for offset, buffer in zip(offsets, wanted, strict=True)), default=0)


def _pillars(wanted: Sequence[Wanted], offsets: Sequence[int], gaps: _Gaps) -> list[int]:
    """The buffers that end at the top, those that they cannot go below, and so on."""
    top = _top(wanted, offsets)
    pillars = [i for i, buffer in enumerate(wanted) if offsets[i] + buffer.size == top]
    for buffer in pillars:
        for gap in gaps[buffer]:
            if offsets[gap.other] + gap.high == offsets[buffer] and gap.other not in pillars:
                pillars.append(gap.other)
    return pillars


def _lowest(order: Sequence[int], gaps: _Gaps, across: _Across) -> list[int]:
    """Offsets when buffers are placed in this order, each as low as those before it allow."""
    offsets = [-1] * len(order)
    for buffer in order:
        offset = 0
        # By their lower ends, so that no interval has to be looked at again.
        taken = [
            (offsets[gap.other] + gap.low, offsets[gap.other] + gap.high)
            for gap in gaps[buffer]
            if offsets[gap.other] >= 0
        ]
        for low, high in sorted([*taken, across[buffer]]):
            if low < offset < high:
                offset = high
        offsets[buffer] = offset
    return offsets
