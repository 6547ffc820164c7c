"""What a flash tool or an emulator provides."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microwright.board import Board


@dataclass(frozen=True)
class Emulation:
    """What an emulator's clock means: so many instructions are one second of the device's time."""

    instructions_per_second: int


@dataclass(frozen=True)
class Runner:
    """A program that goes on running while the device is in use, and says first where its serial line is.

    argv       its command line for an image on a board; pure. Raises BoardError for wrong settings
    ready      what it prints once the serial line is there
    url        the line's pyserial URL or device path, from the match
    emulation  what its clock means; None where the device's time is real
    """

    name: str
    argv: Callable[[Path, Board], list[str]]
    ready: re.Pattern[str]
    url: Callable[[re.Match[str]], str]
    emulation: Emulation | None = None

    @property
    def emulates(self) -> bool:
        """Whether latencies of it are emulated."""
        return self.emulation is not None
