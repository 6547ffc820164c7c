"""teensy_loader_cli: Teensy boards, by the boot loader behind their button."""

from __future__ import annotations

import re

from microwright.errors import ToolMissing
from microwright.runners import failures
from microwright.runners.base import Failure, FlashTool, Job, Setting

_HOW = "press the button on the Teensy"


def argv(job: Job) -> list[str]:
    """Without -w, with which it would wait for the button for ever."""
    return ["teensy_loader_cli", f"--mcu={job.settings['mcu']}", "-v", str(job.file)]


RUNNER = FlashTool(
    name="teensy_loader_cli",
    about="Teensy boards, over their USB",
    image="hex",
    settings={
        "mcu": Setting(
            "a name that `teensy_loader_cli --list-mcus` lists",
            re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*"),
            required=True,
        )
    },
    verifies=False,
    resets=True,
    boot_loader=_HOW,
    argv=argv,
    install="sudo apt-get install teensy-loader-cli",
    opens=("16c0:0478",),
    failures=(
        Failure(
            re.compile("Unknown MCU type"),
            ToolMissing,
            "it does not know this board",
            "install a newer teensy_loader_cli (2.2 or later for Teensy 4), "
            "or correct 'runners.teensy_loader_cli.mcu' of board {board}",
        ),
        failures.no_permission("check USB permissions", "unable to open$"),
        failures.no_boot_loader(_HOW, "Unable to open device", "error writing to Teensy"),
        failures.wrong_chip("Unknown code/block size", "error reading intel hex"),
    ),
)
