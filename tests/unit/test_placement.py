"""Placement of buffers: no forbidden overlap, and as little memory as an exhaustive search finds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microwright.placement import Overlaps, Wanted, place

Problem = tuple[list[Wanted], Overlaps]


@st.composite
def _problems(draw: st.DrawFn, calls: st.SearchStrategy[int], most: int, least_distance: int) -> Problem:
    """A chain of calls, some with scratch, of which some read an older buffer as well."""
    distances = st.one_of(st.none(), st.just(0), st.integers(least_distance, most))
    sizes = st.integers(1, most)
    wanted = [Wanted(draw(sizes), -1, -1)]
    scratch: list[Wanted] = []
    overlaps: dict[tuple[int, int], int | None] = {}
    reads: list[set[int]] = []
    for call in range(draw(calls)):
        read = {call} | draw(st.sets(st.integers(0, call), max_size=1))
        for buffer in read:
            wanted[buffer] = Wanted(wanted[buffer].size, wanted[buffer].first, call)
        reads.append(read)
        wanted.append(Wanted(draw(sizes), call, call))
        if draw(st.booleans()):
            scratch.append(Wanted(draw(sizes), call, call))
    for call, read in enumerate(reads):
        for buffer in sorted(read):
            if wanted[buffer].last == call and draw(st.booleans()):
                overlaps[buffer, call + 1] = draw(distances)
    return wanted + scratch, overlaps


def _allowed(problem: Problem, first: int, second: int, offset1: int, offset2: int) -> bool:
    """Whether two buffers may lie at two offsets."""
    wanted, overlaps = problem
    a, b = wanted[first], wanted[second]
    if a.last < b.first or b.last < a.first:
        return True
    if offset1 + a.size <= offset2 or offset2 + b.size <= offset1:
        return True
    if (second, first) in overlaps:
        first, second, offset1, offset2 = second, first, offset2, offset1
    if (first, second) not in overlaps:
        return False
    distance = overlaps[first, second]
    return offset1 == offset2 if distance is None else offset1 - offset2 >= distance


def _top(problem: Problem, offsets: list[int]) -> int:
    return max(offset + buffer.size for offset, buffer in zip(offsets, problem[0], strict=True))


def _fits(problem: Problem, size: int, offsets: list[int]) -> bool:
    """Whether the buffers after those with offsets can be placed below `size`: every offset is tried."""
    buffer = len(offsets)
    if buffer == len(problem[0]):
        return True
    return any(
        all(_allowed(problem, i, buffer, other, offset) for i, other in enumerate(offsets))
        and _fits(problem, size, [*offsets, offset])
        for offset in range(size - problem[0][buffer].size + 1)
    )


@given(_problems(st.integers(1, 20), most=50, least_distance=-60))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_no_overlap_that_is_not_allowed(problem: Problem) -> None:
    offsets = place(*problem)
    assert min(offsets) >= 0
    for i, first in enumerate(offsets):
        assert all(_allowed(problem, i, j, first, second) for j, second in enumerate(offsets) if i != j)
    assert place(*problem) == offsets


@given(_problems(st.integers(1, 3), most=4, least_distance=0))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_small_problems_are_solved_to_the_optimum(problem: Problem) -> None:
    top = _top(problem, place(*problem))
    assert not _fits(problem, top - 1, [])


@pytest.mark.parametrize(
    ("distance", "offsets"),
    [
        (None, [0, 0]),
        (0, [0, 0]),
        (3, [3, 0]),
        (5, [5, 0]),
        (9, [8, 0]),  # farther than apart is apart
        (-3, [0, 0]),
        (-99, [0, 0]),
    ],
)
def test_an_input_lies_behind_the_output_that_overlaps_it(distance: int | None, offsets: list[int]) -> None:
    assert place([Wanted(6, 0, 1), Wanted(8, 1, 2)], {(0, 1): distance}) == offsets


def test_nothing_to_place() -> None:
    assert place([], {}) == []


def test_sixty_buffers_take_a_fraction_of_a_second() -> None:
    # A residual network without any overlap, sizes without a pattern.
    wanted = [Wanted(100 + i * 7919 % 997, i, min(i + 1 + i % 4, 60)) for i in range(60)]
    started = time.process_time()
    offsets = place(wanted, {})
    assert time.process_time() - started < 0.3
    busiest = max(sum(b.size for b in wanted if b.first <= t <= b.last) for t in range(61))
    assert busiest <= _top((wanted, {}), offsets) <= 1.1 * busiest


@given(_problems(st.integers(1, 6), 12, 0), st.integers(1, 30))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_nothing_lies_across_the_boundary_of_two_memories(problem: Problem, boundary: int) -> None:
    offsets = place(*problem, boundary)
    for buffer, offset in zip(problem[0], offsets, strict=True):
        assert offset + buffer.size <= boundary or offset >= boundary
    for first in range(len(offsets)):
        for second in range(first):
            assert _allowed(problem, first, second, offsets[first], offsets[second])
