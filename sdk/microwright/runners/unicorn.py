"""Unicorn, which emulates the core, with memory, registers and UART of the board file around it; no settings.

It needs the package `unicorn`, which is in the extra of that name.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

from microwright.board import Board
from microwright.emulator.uarts import UARTS
from microwright.errors import BoardError, ToolMissing
from microwright.runners.base import Emulation, Runner

_PROGRAM = Path(__file__).parents[1] / "emulator"
_CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")


def argv(elf: Path, board: Board) -> list[str]:
    """The program's command line. The core waits until the serial line is connected: nothing may be lost."""
    if board.cpu.core not in _CORES or board.uart is None or board.flash is None or board.ram is None:
        raise BoardError(
            f"board {board.id}: Unicorn has no {board.cpu.core}", "its cores are: " + ", ".join(_CORES)
        )
    if board.uart.driver not in UARTS:
        raise BoardError(
            f"board {board.id}: Unicorn has no UART for the driver {board.uart.driver}",
            "it has those of: " + ", ".join(UARTS) + "; choose another runner",
        )
    memory = {"flash": board.flash, "ram": board.ram, **board.extra}
    return [
        sys.executable,
        str(_PROGRAM),
        str(elf),
        *("--core", board.cpu.core),
        *("--family", board.template),
        *(part for name, m in memory.items() for part in ("--memory", f"{name}={m.origin:#x}:{m.bytes}")),
        *("--uart", f"{board.uart.driver}@{board.uart.base:#x}"),
    ]


def version() -> str:
    """The package's version. Raises ToolMissing."""
    try:
        return importlib.metadata.version("unicorn")
    except importlib.metadata.PackageNotFoundError:
        raise ToolMissing(
            "the package unicorn is not installed", "pip install 'microwright[unicorn]'"
        ) from None


RUNNER = Runner(
    name="unicorn",
    argv=argv,
    ready=re.compile(r"^waiting for connection on 127\.0\.0\.1:(\d{1,5})\n", re.MULTILINE),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=lambda board: Emulation(),
    version=version,
)
