"""QEMU's user-mode emulation: a Linux program of another architecture as one of this computer; no settings.

It has the instructions of the board's core and no other ones, but its time is this computer's.
"""

from __future__ import annotations

import re
from pathlib import Path

from microwright.board import Board
from microwright.errors import BoardError
from microwright.runners.base import Emulation, Runner

# The program, and the core. It has no 32-bit cores of Armv8, whose instructions all that it has together has.
_EMULATORS = {
    "aarch64": ("qemu-aarch64-static", None),
    "armv7l": ("qemu-arm-static", "max"),
    "armv6l": ("qemu-arm-static", "arm1176"),
}


def argv(elf: Path, board: Board) -> list[str]:
    """The emulator's command line. The program waits for a connection, and for the next one."""
    if board.linux is None:
        raise BoardError(
            f"board {board.id}: qemu-user runs programs of Linux, and it has none", "remove this runner"
        )
    program, core = _EMULATORS[board.linux.arch]
    return [program, "-cpu", core or board.cpu.core, str(elf), "--listen", "127.0.0.1:0"]


RUNNER = Runner(
    name="qemu-user",
    argv=argv,
    ready=re.compile(r"^listening on 127\.0\.0\.1:(\d{1,5})\n", re.MULTILINE),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=lambda board: Emulation(unit="us"),
)
