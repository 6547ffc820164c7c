"""stm32flash: the boot loader in the ROM of STM32, on a serial port."""

from __future__ import annotations

from microwright.runners import failures
from microwright.runners.base import FlashTool, Job, Setting

HOW = "set BOOT0 high (its jumper or button), press reset, and take it back once the image is written"


def argv(job: Job) -> list[str]:
    """Write, verify, start at the beginning of the flash."""
    return [
        "stm32flash",
        *("-b", str(job.settings.get("baud", 115_200))),
        *("-w", str(job.file)),
        *("-v", "-g", "0x0"),
        str(job.where.port),
    ]


RUNNER = FlashTool(
    name="stm32flash",
    about="STM32 by the boot loader in ROM, on a serial port",
    image="bin",
    settings={"baud": Setting("the baud rate of the boot loader, which adapts to it", most=1_000_000)},
    verifies=True,
    resets=True,
    needs_port=True,
    boot_loader=HOW,
    argv=argv,
    install="sudo apt-get install stm32flash",
    failures=(
        failures.no_boot_loader(HOW, "Failed to init device", "Failed to send boot enter"),
        failures.no_port("Failed to open port", "Cannot handle device"),
        failures.locked(
            "`stm32flash -k PORT` unlocks it, and loses what is in the flash; `-u` ends write protection",
            "write-protected",
            "Failed to (erase|write) memory",
            "NACK",
        ),
        failures.wrong_chip("Unknown/unsupported device", "exceeds flash size"),
    ),
)
