"""stm32loader: as stm32flash, from PyPI, for systems that do not package that one."""

from __future__ import annotations

import re

from microwright.runners import failures, stm32flash
from microwright.runners.base import FlashTool, Job, Setting


def argv(job: Job) -> list[str]:
    """Erase, write, verify, start."""
    settings, origin = job.settings, f"0x{job.origin:08x}"
    return [
        "stm32loader",
        *("--port", str(job.where.port)),
        *("--baud", str(settings.get("baud", 115_200))),
        *(("--family", str(settings["family"])) if "family" in settings else ()),
        *("--erase", "--write", "--verify", "--no-progress"),
        *("--address", origin, "--go-address", origin),
        str(job.file),
    ]


RUNNER = FlashTool(
    name="stm32loader",
    about="STM32 by the boot loader in ROM, on a serial port; also where stm32flash is not packaged",
    image="bin",
    settings={
        **stm32flash.RUNNER.settings,
        "family": Setting(
            "the chip's family as stm32loader names it, F4 for one", re.compile("[A-Z0-9]{2,4}")
        ),
    },
    verifies=True,
    resets=True,
    needs_port=True,
    boot_loader=stm32flash.HOW,
    argv=argv,
    install="python -m pip install stm32loader",
    version=("stm32loader", "--version"),
    least=(0, 7),
    failures=(
        failures.no_port(r"\[Errno \d+\]", "Could not configure port"),
        failures.no_boot_loader(stm32flash.HOW, "Can't init into bootloader", "Bad reply", "Can't read"),
        failures.locked(
            "`stm32loader --unprotect` unlocks it, and loses what is in the flash",
            "NACK",
            "write-protect",
            "readout-protect",
        ),
    ),
)
