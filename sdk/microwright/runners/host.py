"""The firmware as a program of this computer, on a pseudo terminal whose path it prints."""

from __future__ import annotations

import re
from pathlib import Path

from microwright.board import Board
from microwright.runners.base import Runner


def argv(elf: Path, board: Board) -> list[str]:
    """The program itself."""
    return [str(elf)]


RUNNER = Runner(
    name="host",
    argv=argv,
    ready=re.compile(r"^(/dev/\S+)\n"),
    url=lambda match: match[1],
)
