"""rp2040js, which emulates the Raspberry Pi Pico's RP2040 in node; no settings."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from microwright import _run
from microwright.board import Board
from microwright.errors import ToolFailed, ToolMissing
from microwright.runners.base import Emulation, Runner

_BRIDGE = Path(__file__).parents[1] / "emulator" / "rp2040.mjs"


def _node(*arguments: str) -> list[str]:
    return ["node", str(_BRIDGE), "--modules", str(Path(sys.prefix) / "lib" / "node_modules"), *arguments]


def argv(elf: Path, board: Board) -> list[str]:
    """Node's command line. It takes the flash image beside the ELF, and waits until the line is connected."""
    return _node(str(elf.with_suffix(".bin")))


def version() -> str:
    """The package's version. Raises ToolMissing where node or the package is not installed, ToolFailed."""
    try:
        return _run.run(_node("--version"), timeout_s=20).out.strip()
    except ToolFailed as failed:
        if "is not installed" not in failed.log:
            raise
        raise ToolMissing(
            "the npm package rp2040js is not installed", "npm install -g rp2040js@1.4.1"
        ) from None


RUNNER = Runner(
    name="rp2040js",
    argv=argv,
    ready=re.compile(r"^waiting for connection on 127\.0\.0\.1:(\d{1,5})\n", re.MULTILINE),
    url=lambda match: f"socket://127.0.0.1:{match[1]}",
    emulation=lambda board: Emulation(unit="cycles"),
    version=version,
)
