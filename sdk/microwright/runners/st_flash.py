"""st-flash of stlink-tools: STM32 by ST-LINK probes."""

from __future__ import annotations

import re

from microwright.runners import failures, usb
from microwright.runners.base import FlashTool, Job, Setting


def argv(job: Job) -> list[str]:
    """`st-flash write`, which verifies."""
    probe = job.where.probe
    return [
        "st-flash",
        *(("--connect-under-reset",) if "connect" in job.settings else ()),
        *(("--serial", probe) if probe else ()),
        *("--reset", "--format", "ihex", "write", str(job.file)),
    ]


RUNNER = FlashTool(
    name="st-flash",
    about="STM32, by ST-LINK probes",
    image="hex",
    settings={"connect": Setting("under-reset", re.compile("under-reset"))},
    probe="serial number",
    verifies=True,
    resets=True,
    argv=argv,
    install="sudo apt-get install stlink-tools",
    version=("st-flash", "--version"),
    least=(1, 7),
    failures=(
        failures.no_permission("access error", "LIBUSB_ERROR_ACCESS", r"Error -3 "),
        failures.busy("unable to claim", r"Error -6 "),
        failures.no_probe("Couldn't find any ST-Link", "Could not open stlink device"),
        failures.other_probe("Couldn't find .* ST-Link"),
        failures.locked(
            "`st-flash --area=option` changes the option bytes that protect it; so does STM32CubeProgrammer",
            "write protected",
            "[Ff]ailed to unlock flash",
            "Flash unlock failed",
        ),
        failures.wrong_chip("[Uu]nknown (chip|core) ?id", "unknown coreid", "Unknown memory region"),
        failures.no_answer(
            "Can not connect to target",
            "Failed to connect to target",
            "Could not find chip id",
            "unknown chip id! 0(x0)?$",
        ),
    ),
    silent=usb.ST_LINK,
)
