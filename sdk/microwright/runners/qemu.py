"""QEMU's Arm machines. Settings of a board file:

machine   as `-M` takes it
serial    the number of the machine's UART that the firmware talks on; absent: 0, the first
clock_hz  the clock of the machine's core, where the firmware cannot know it: QEMU has no oscillators, so that
          a chip's set-up falls back to its clock after a reset, while QEMU's core goes on as it did
"""

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
_MAX_HZ = 2**32 - 1


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
    emulation(board)
    return [
        "qemu-system-arm",
        *("-M", machine),
        *("-kernel", str(elf)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        *("-icount", f"shift={_ICOUNT_SHIFT}"),
        *("-serial", "null") * serial,
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
    ]


def emulation(board: Board) -> Emulation:
    """What QEMU's clock means. Raises BoardError for a wrong `clock_hz`."""
    clock_hz = board.runners["qemu"].get("clock_hz")
    if clock_hz is not None and (not isinstance(clock_hz, int) or not 1 <= clock_hz <= _MAX_HZ):
        raise BoardError(
            f"board {board.id}: 'runners.qemu.clock_hz' is not a number from 1 to {_MAX_HZ}",
            "give the frequency of the machine's core in Hz",
        )
    return Emulation(per_second=1_000_000_000 >> _ICOUNT_SHIFT, timer_hz=clock_hz)


RUNNER = Runner(
    name="qemu",
    argv=argv,
    ready=re.compile(r"waiting for connection on: \S*?tcp:127\.0\.0\.1:(\d{1,5})[,\s]"),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=emulation,
)
