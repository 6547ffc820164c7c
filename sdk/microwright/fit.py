"""Whether a model fits a board, before it is built, and what would do where it does not: Plan -> Estimate.

Of flash there are estimates: the model's constants are exact, but what compiler and linker leave of the code
is only known afterwards. What is refused is what could not fit even so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from microwright import board as boards
from microwright import target
from microwright.board import Board
from microwright.emit import aot
from microwright.errors import TooLarge
from microwright.kernels import code
from microwright.plan import Plan, plan
from microwright.target import Optimize

# Of the bytes that `code_bytes` has of a model's kernels, so many are linked: measured 0.3, where it calls
# few functions of a source, to 1.2, where it calls all.
_CODE: Mapping[Optimize, float] = {"size": 0.85, "balanced": 1.05, "speed": 1.15}
_CODE_LEAST, _CODE_MOST = 0.25, 1.5
# What the model's C has for each call beside the constants: 40 to 75 measured.
_CALL_BYTES = 60
# Main loop, link, port, C library: measured without a profile, 5,660 for size on emulated boards to 11,260 on
# a Teensy, with what its boot loader looks for.
_APPLICATION_BYTES: Mapping[Optimize, int] = {"size": 6_400, "balanced": 6_900, "speed": 6_900}
_APPLICATION_LEAST_BYTES, _APPLICATION_MOST_BYTES = 5_000, 12_000

_MOST_BOARDS = 3
_MOST_PLANS = 12


@dataclass(frozen=True)
class Estimate:
    """Bytes of flash: about `bytes`, between `least` and `most`; of these the model's `constants` and its
    `code`, which is between `code_least` and `code_most`."""

    bytes: int
    least: int
    most: int
    constants: int
    code: int
    code_least: int
    code_most: int


def estimate(planned: Plan, *, application: bool = True) -> Estimate:
    """What a model takes in flash, with the application of a project or alone."""
    constants, calls = planned.constant_bytes, _CALL_BYTES * len(planned.calls)
    kernels, optimize = code.code_bytes(aot.kernels(planned)), planned.target.optimize
    about, least, most = (
        calls + int(kernels * _CODE[optimize]),
        int(kernels * _CODE_LEAST),
        2 * calls + int(kernels * _CODE_MOST),
    )
    return Estimate(
        bytes=constants + about + application * _APPLICATION_BYTES[optimize],
        least=constants + least + application * _APPLICATION_LEAST_BYTES,
        most=constants + most + application * _APPLICATION_MOST_BYTES,
        constants=constants,
        code=about,
        code_least=least,
        code_most=most,
    )


def fits(planned: Plan, board: Board, *, application: bool = True, surely: bool = True) -> bool:
    """Whether a plan for a board fits it, `surely` or by the estimate."""
    found = estimate(planned, application=application)
    variables = {"ram": target.STATIC_BYTES * application}
    needed = {"flash": found.most if surely else found.bytes}
    if board.placement.code is not None:
        needed[board.placement.code] = found.code_most if surely else found.code
    return all(_left_bytes(planned, board, name) >= variables.get(name, 0) for name in planned.parts) and all(
        needed.get(name, 0) <= region.bytes for name, region in board.regions.items()
    )


def check(planned: Plan, board: Board, *, application: bool = True) -> None:
    """Raise TooLarge where the board's memory cannot hold the arena and the stack, what is in flash, or code
    that is copied elsewhere.

    `application`: the firmware of a project, else the model alone.
    """
    for name, part_bytes in planned.parts.items():
        has_bytes = board.regions[name].bytes if name in board.regions else part_bytes
        excess = -_left_bytes(planned, board, name)
        if excess > 0:
            beside = f" and the stack {board.stack_bytes}" if name == "ram" and board.stack_bytes else ""
            why = f"of {has_bytes} bytes, the arena takes {part_bytes}{beside}"
            raise too_large(planned, board, "RAM" if name == "ram" else name, excess, why, application)
    if board.flash is None:
        return
    found, has_bytes = estimate(planned, application=application), board.flash.bytes
    if found.constants > has_bytes:
        why = f"of {has_bytes} bytes, the weights alone take {found.constants}"
        raise too_large(planned, board, "flash", found.constants - has_bytes, why, application)
    if found.least > has_bytes:
        rest = found.bytes - found.constants
        why = f"of {has_bytes} bytes, the weights take {found.constants} and code about {rest}"
        raise too_large(planned, board, "flash", found.bytes - has_bytes, why, application, about=True)
    if board.placement.code is not None:
        has_bytes = board.regions[board.placement.code].bytes
        if found.code_least > has_bytes:
            raise code_too_large(planned, board, found.code - has_bytes, about=True)


def too_large(
    planned: Plan,
    board: Board,
    memory: str,
    excess_bytes: int,
    why: str,
    application: bool = True,
    *,
    about: bool = False,
) -> TooLarge:
    """The error for a model that a memory of the board does not hold; its hint has what would do.

    `about`: the excess is an estimate.
    """
    does = list(_what_does(planned, board, memory, excess_bytes, application))
    smaller = "prune the model" if memory == "flash" else "prune the model, make its input smaller"
    by = f"about {excess_bytes}" if about else str(excess_bytes)
    return TooLarge(
        f"model {planned.graph.name[:80]!r} does not fit {board.id}: {memory} is {by} bytes too small; {why}",
        "; ".join(does) + f"; or {smaller}" if does else f"{smaller}, or choose a board with more {memory}",
    )


def code_too_large(planned: Plan, board: Board, excess_bytes: int, *, about: bool = False) -> TooLarge:
    """The error for code that the region which [placement] gives it does not hold; `about` as above."""
    name = board.placement.code
    assert name is not None
    has_bytes, by = board.regions[name].bytes, "about " if about else ""
    smaller = "--optimize size makes it smaller; or " if planned.target.optimize != "size" else ""
    return TooLarge(
        f"model {planned.graph.name[:80]!r} does not fit {board.id}: {name} is {by}{excess_bytes} bytes "
        f"too small; of {has_bytes} bytes, the model's code takes {by}{has_bytes + excess_bytes}",
        f"{smaller}take another region for `code` of [placement] in the board file, or leave it out: "
        "code then runs from flash",
    )


def _what_does(
    planned: Plan, board: Board, memory: str, excess_bytes: int, application: bool
) -> Iterator[str]:
    """Other options for the board, then the boards with the least memory that surely do."""
    goal = planned.target.optimize

    def does(on: Board, optimize: Optimize = goal) -> bool:
        return fits(plan(planned.graph, target.of(on, optimize)), on, application=application)

    if goal != "size" and memory == "flash":
        small = plan(planned.graph, target.of(board, "size"))
        less = estimate(planned).bytes - estimate(small).bytes
        if less >= excess_bytes:
            yield f"--optimize size takes about {less} bytes less"
    elif goal != "size" and does(board, "size"):
        yield "fits with --optimize size"
    for name in board.extra:
        if name not in (*board.placement.arena, board.placement.code) and does(board.with_arena(name)):
            yield f"fits with --arena-section {name}"
    others = (other.id for other in _others(planned, board)[:_MOST_PLANS] if does(other))
    ids = list(itertools.islice(others, _MOST_BOARDS))
    if ids:
        yield "fits " + ", ".join(ids)


def _others(planned: Plan, board: Board) -> list[Board]:
    """Other boards that are not much too small at sight, those with the least memory first."""
    found = []
    for other in boards.load_all()[0]:
        if other.id == board.id or other.flash is None:
            continue
        room = sum(region.bytes for name, region in other.regions.items() if name != "flash")
        if other.flash.bytes > planned.graph.weights_bytes and room > planned.arena_bytes // 2:
            found.append(other)
    return sorted(found, key=lambda b: (sum(region.bytes for region in b.regions.values()), b.id))


def _left_bytes(planned: Plan, board: Board, name: str) -> int:
    """What arena and stack leave of a region; negative where it is too small."""
    if name not in board.regions:
        return 0
    stack_bytes = board.stack_bytes if name == "ram" else 0
    return board.regions[name].bytes - planned.parts[name] - stack_bytes
