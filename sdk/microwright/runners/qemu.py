"""QEMU's Arm machines. Setting of a board file: `machine`, as `-M` takes it."""

from __future__ import annotations

import re
from pathlib import Path

from microwright.board import Board
from microwright.errors import BoardError
from microwright.runners.base import Emulation, Runner

# Under -icount, one instruction takes 2^shift ns of the machine's time, so that timers count instructions.
# 64 ns are more than a tick of every board's timer: the count is exact.
_ICOUNT_SHIFT = 6

# Not more than a name: a comma would start an option of QEMU.
_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def argv(elf: Path, board: Board) -> list[str]:
    """QEMU's command line. The CPU waits until the serial line is connected, so that nothing is lost."""
    machine = board.runners["qemu"].get("machine")
    if not isinstance(machine, str) or not _MACHINE.fullmatch(machine):
        raise BoardError(
            f"board {board.id}: 'runners.qemu.machine' is not the name of a machine",
            "give one that `qemu-system-arm -M help` lists",
        )
    return [
        "qemu-system-arm",
        *("-M", machine),
        *("-kernel", str(elf)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        *("-icount", f"shift={_ICOUNT_SHIFT}"),
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
    ]


RUNNER = Runner(
    name="qemu",
    argv=argv,
    ready=re.compile(r"waiting for connection on: \S*?tcp:127\.0\.0\.1:(\d{1,5})[,\s]"),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=Emulation(instructions_per_second=1_000_000_000 >> _ICOUNT_SHIFT),
)
