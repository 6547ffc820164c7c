"""bossac: SAM-BA boot loaders on a USB serial port, as Arduino's boards have them."""

from __future__ import annotations

import re
from dataclasses import replace

from microwright.board import Board
from microwright.errors import ToolMissing
from microwright.link import ports
from microwright.runners import failures
from microwright.runners.base import Failure, FlashTool, Job, Setting

_HOW = "press the board's reset button twice, quickly"


def argv(job: Job) -> list[str]:
    """Erase, write, verify, reset."""
    offset = job.settings.get("offset", 0)
    return [
        "bossac",
        f"--port={job.where.port}",
        *(("--offset", f"0x{offset:x}") if offset else ()),
        *("--erase", "--write", "--verify", "--reset"),
        str(job.file),
    ]


def prepare(job: Job, board: Board) -> Job:
    """Open the port at 1200 baud, which asks for the boot loader; that may be another port."""
    assert job.where.port is not None  # a tool that needs one
    return replace(job, where=replace(job.where, port=ports.touch(job.where.port)))


RUNNER = FlashTool(
    name="bossac",
    about="boards with Arduino's SAM-BA boot loader, over USB",
    image="bin",
    settings={
        "offset": Setting("where the application begins in the flash, 0x10000 for one"),
        "usb_ids": Setting(
            "vendor:product of the board's USB port, with commas between several",
            re.compile("[0-9a-f]{4}:[0-9a-f]{4}(,[0-9a-f]{4}:[0-9a-f]{4})*"),
        ),
    },
    verifies=True,
    resets=True,
    needs_port=True,
    boot_loader=_HOW,
    argv=argv,
    install="sudo apt-get install bossa-cli",
    version=("bossac", "--help"),
    least=(1, 9),
    failures=(
        failures.no_boot_loader(_HOW, "No device found", "SAM-BA operation failed", "No serial ports"),
        Failure(
            re.compile("Device unsupported"),
            ToolMissing,
            "it does not know this chip",
            "install the bossac of Arduino's board package, which knows the nRF52, and put it first on PATH",
        ),
        failures.locked("`bossac --unlock` unlocks the flash", "Flash page is locked", "Invalid lock region"),
        failures.wrong_chip("Flash offset is invalid", "Invalid flash page", "Flash (command|erase) failed"),
        failures.no_permission("Permission denied"),
    ),
    prepare=prepare,
)
