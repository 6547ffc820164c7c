"""QEMU's Arm machines. Settings of a board file: `machine`, as `-M` takes it, and `serial`, the number of the
machine's UART that the firmware talks on (0, the first, where it is not given)."""

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

_LAST_SERIAL = 15


def argv(elf: Path, board: Board) -> list[str]:
    """QEMU's command line. The CPU waits until the serial line is connected, so that nothing is lost."""
    settings = board.runners["qemu"]
    machine, serial = settings.get("machine"), settings.get("serial", 0)
    if not isinstance(machine, str) or not _MACHINE.fullmatch(machine):
        raise BoardError(
            f"board {board.id}: 'runners.qemu.machine' is not the name of a machine",
            "give one that `qemu-system-arm -M help` lists",
        )
    if not isinstance(serial, int) or not 0 <= serial <= _LAST_SERIAL:
        raise BoardError(
            f"board {board.id}: 'runners.qemu.serial' is not a number from 0 to {_LAST_SERIAL}",
            "give the number of the machine's UART that the firmware talks on, counted from 0",
        )
    return [
        "qemu-system-arm",
        *("-M", machine),
        *("-kernel", str(elf)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        *("-icount", f"shift={_ICOUNT_SHIFT}"),
        *("-serial", "null") * serial,
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
    ]


RUNNER = Runner(
    name="qemu",
    argv=argv,
    ready=re.compile(r"waiting for connection on: \S*?tcp:127\.0\.0\.1:(\d{1,5})[,\s]"),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=Emulation(per_second=1_000_000_000 >> _ICOUNT_SHIFT),
)
