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
    "cortex-m0plus": frozenset(),
    "cortex-m3": frozenset({"thumb2"}),
    "cortex-m4": frozenset({"thumb2", "dsp"}),
    "cortex-m7": frozenset({"thumb2", "dsp"}),
    "cortex-m33": frozenset({"thumb2", "dsp"}),
    "cortex-m55": frozenset({"thumb2", "dsp", "mve"}),
}


@dataclass(frozen=True)
class Target:
    """What code is generated for. The default is portable C for any core."""

    core: str = "portable"
    features: frozenset[Feature] = frozenset()
    optimize: Optimize = "balanced"


PORTABLE = Target()


def of(board: Board, optimize: Optimize = "balanced") -> Target:
    """The target of a board."""
    return Target(board.cpu.core, FEATURES.get(board.cpu.core, frozenset()), optimize)
