"""What a core offers to kernels: Board -> Target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from microwright.board import Board

Feature: TypeAlias = Literal["dsp", "mve", "thumb2"]
Optimize: TypeAlias = Literal["speed", "balanced", "size"]
OPTIMIZE: tuple[Optimize, ...] = get_args(Optimize)

# dsp: SMLAD and its kin (Armv7E-M, Armv8-M with the DSP extension). mve: Helium. thumb2: 64-bit products,
# saturation and unaligned loads, which Armv6-M lacks.
FEATURES: Mapping[str, frozenset[Feature]] = {
    "cortex-m0": frozenset(),
    "cortex-m0plus": frozenset(),
    "cortex-m3": frozenset({"thumb2"}),
    "cortex-m4": frozenset({"thumb2", "dsp"}),
    "cortex-m7": frozenset({"thumb2", "dsp"}),
    "cortex-m33": frozenset({"thumb2", "dsp"}),
    "cortex-m55": frozenset({"thumb2", "dsp", "mve"}),
}

# RAM for the firmware's own variables: the link's buffers and the like.
STATIC_BYTES = 1024


@dataclass(frozen=True)
class Room:
    """A memory region of the board that the arena may lie in, and the bytes that it has there."""

    region: str
    bytes: int


@dataclass(frozen=True)
class Target:
    """What code is generated for. The default is portable C for any core.

    rooms: where the arena may lie, in order of preference; none where there is no limit.
    """

    core: str = "portable"
    features: frozenset[Feature] = frozenset()
    optimize: Optimize = "balanced"
    rooms: tuple[Room, ...] = ()


PORTABLE = Target()


def of(board: Board, optimize: Optimize = "balanced") -> Target:
    """The target of a board."""
    rooms = tuple(Room(name, _free_bytes(board, name)) for name in board.placement.arena)
    return Target(board.cpu.core, FEATURES.get(board.cpu.core, frozenset()), optimize, rooms)


def _free_bytes(board: Board, name: str) -> int:
    """What a region has for the arena: in RAM, stack and variables lie, too."""
    taken = board.stack_bytes + STATIC_BYTES if name == "ram" else 0
    return max(0, board.regions[name].bytes - taken)
