"""QEMU's Arm machines.

QEMU has no oscillators, so that a chip's set-up falls back to its clock after a reset, while QEMU's core goes
on as it did: a board file's `clock_hz` says how fast that is.
"""

from __future__ import annotations

import re
from pathlib import Path

from microwright.board import Board
from microwright.runners.base import Emulation, Runner, Setting

# Under -icount, one instruction takes 2^shift ns of the machine's time, so that timers count instructions.
# 64 ns are more than a tick of every board's timer: the count is exact.
_ICOUNT_SHIFT = 6

# Not more than a name: a comma would start an option of QEMU.
_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_SETTINGS = {
    "machine": Setting("a machine that `qemu-system-arm -M help` lists", _MACHINE, required=True),
    "serial": Setting(
        "the number, 0 to 15, of the machine's UART that the firmware talks on; absent: 0", most=15
    ),
    "clock_hz": Setting(
        "the frequency of the machine's core in Hz, where the firmware cannot know it", least=1
    ),
}


def argv(elf: Path, board: Board) -> list[str]:
    """QEMU's command line. The CPU waits until the serial line is connected, so that nothing is lost."""
    settings = board.runners["qemu"]
    return [
        "qemu-system-arm",
        *("-M", str(settings["machine"])),
        *("-kernel", str(elf)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        *("-icount", f"shift={_ICOUNT_SHIFT}"),
        *("-serial", "null") * int(settings.get("serial", 0)),
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
    ]


def emulation(board: Board) -> Emulation:
    """What QEMU's clock means."""
    clock_hz = board.runners["qemu"].get("clock_hz")
    return Emulation(
        per_second=1_000_000_000 >> _ICOUNT_SHIFT, timer_hz=None if clock_hz is None else int(clock_hz)
    )


RUNNER = Runner(
    name="qemu",
    argv=argv,
    ready=re.compile(r"waiting for connection on: \S*?tcp:127\.0\.0\.1:(\d{1,5})[,\s]"),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=emulation,
    settings=_SETTINGS,
)
