"""OpenOCD: nearly every debug probe."""

from __future__ import annotations

import re

from microwright.debugger import SCRIPTS
from microwright.errors import BoardError, InputError
from microwright.runners import failures, usb
from microwright.runners.base import Failure, FlashTool, Job, Setting

# What ends or escapes a word in braces. All else stands for itself there.
_NOT_IN_BRACES = re.compile(r"[{}\\\n]")


def argv(job: Job) -> list[str]:
    """A script of a board, or one of a probe and one of a chip; then the `program` command."""
    settings, probe, path = job.settings, job.where.probe, str(job.file)
    if ("config" in settings) == ("interface" in settings and "target" in settings):
        raise BoardError(
            "'runners.openocd' has to name either the script of a board or those of a probe and a chip",
            'give config = "board/....cfg", or interface = "interface/....cfg" and target = "target/....cfg"',
        )
    if _NOT_IN_BRACES.search(path):
        raise InputError(f"OpenOCD takes no file whose path has braces or backslashes: {path}", "move it")
    scripts = [settings[key] for key in SCRIPTS if key in settings]
    return [
        "openocd",
        *(word for script in scripts for word in ("-f", str(script))),
        *(("-c", f"adapter serial {probe}") if probe else ()),
        *(("-c", f"adapter speed {settings['speed_khz']}") if "speed_khz" in settings else ()),
        *("-c", f"program {{{path}}} verify reset exit"),
    ]


RUNNER = FlashTool(
    name="openocd",
    about="chips with SWD or JTAG, by nearly every debug probe",
    image="elf",
    settings={
        "config": Setting("a script of OpenOCD's folder board/", SCRIPTS["config"]),
        "interface": Setting("a script of OpenOCD's folder interface/", SCRIPTS["interface"]),
        "target": Setting("a script of OpenOCD's folder target/", SCRIPTS["target"]),
        "speed_khz": Setting("the frequency of SWD or JTAG in kHz", most=100_000),
    },
    probe="serial number",
    verifies=True,
    resets=True,
    argv=argv,
    install="sudo apt-get install openocd",
    version=("openocd", "--version"),
    least=(0, 12),
    failures=(
        failures.no_permission("LIBUSB_ERROR_ACCESS", "check connection and permissions"),
        failures.busy("LIBUSB_ERROR_BUSY"),
        failures.other_probe("serial mismatch", "No device matches the serial string"),
        failures.no_probe(
            "Error: open failed",
            "unable to find a matching CMSIS-DAP device",
            "no device found",
            "No J-Link device found",
        ),
        Failure(
            re.compile(r"Can't find ((board|interface|target)/\S+)"),
            BoardError,
            "it has no such script",
            "correct 'runners.openocd' in the file of board {board}, or install a newer OpenOCD",
        ),
        failures.locked(
            "OpenOCD has a command that unlocks the chip, and erases it: `stm32f2x unlock 0` for one",
            "device protected",
            "flash memory write protected",
            "Flash sector .* is protected",
            "AP lock engaged",
        ),
        failures.wrong_chip("UNEXPECTED idcode", "Cannot identify target", "expected 1 of 1"),
        failures.no_answer(
            "unable to connect to the target",
            "Error connecting DP",
            "[Tt]arget voltage (too|may be too) low",
            "examination failed",
            "No Valid JTAG",
        ),
    ),
    silent=usb.ANY_PROBE,
)
