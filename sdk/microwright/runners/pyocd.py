"""pyOCD: CMSIS-DAP, ST-LINK and J-Link probes."""

from __future__ import annotations

import re

from microwright.errors import AmbiguousProbe, ToolMissing
from microwright.runners import failures
from microwright.runners.base import Failure, FlashTool, Job, Setting


def argv(job: Job) -> list[str]:
    """`pyocd flash`; without --no-wait it would wait for a probe for ever."""
    settings, probe = job.settings, job.where.probe
    return [
        "pyocd",
        *("flash", "--no-wait"),
        *("--target", str(settings["target"])),
        *(("--connect", str(settings["connect"])) if "connect" in settings else ()),
        *(("--frequency", str(settings["frequency"])) if "frequency" in settings else ()),
        *(("--uid", probe) if probe else ()),
        *("--format", "elf", str(job.file)),
    ]


RUNNER = FlashTool(
    name="pyocd",
    about="chips with SWD, by CMSIS-DAP (DAPLink), ST-LINK and J-Link probes",
    image="elf",
    settings={
        "target": Setting(
            "a target that `pyocd list --targets` or `pyocd pack find` lists",
            re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*"),
            required=True,
        ),
        "connect": Setting(
            "halt, pre-reset, under-reset or attach", re.compile("halt|pre-reset|under-reset|attach")
        ),
        "frequency": Setting("the frequency of SWD in Hz", most=100_000_000),
    },
    probe="serial number",
    verifies=True,
    resets=True,
    argv=argv,
    install="python -m pip install pyocd",
    version=("pyocd", "--version"),
    least=(0, 34),
    failures=(
        failures.no_permission("Access denied", r"\[Errno 13\]", "remedied with a udev rule"),
        failures.no_probe("No connected debug probes"),
        failures.other_probe("No connected debug probe matches"),
        Failure(
            re.compile("Enter the number of the debug probe|More than one debug probe matches"),
            AmbiguousProbe,
            "there are several debug probes",
            "choose one with --probe SERIAL",
        ),
        failures.busy("Resource busy", r"\[Errno 16\]", "unable to claim interface"),
        Failure(
            re.compile(r"Target type (\S+) not recognized"),
            ToolMissing,
            "it lacks the chip's description",
            "pyocd pack install {0}",
        ),
        failures.locked(
            "`pyocd erase --mass --target TARGET` unlocks it, and loses what is in the flash",
            "APPROTECT enabled",
            "unable to unlock device",
        ),
        failures.no_answer(
            "No ACK", "No cores were discovered", "STLink error.*[Nn]o device", "SWD/JTAG comm"
        ),
        failures.wrong_chip(
            "invalid flash address", "no memory region defined", "not contained within region"
        ),
        failures.locked(
            "check that the chip is the board's, and unlock it with its maker's tool",
            "flash (init|uninit|erase|program)",
        ),
    ),
    choices=re.compile(r"^ *\d+ {2,}(\S.*?) {2,}(\S+) |^(.+) \| (\S+)$", re.MULTILINE),
)
