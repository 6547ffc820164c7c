"""dfu-util: boot loaders that speak USB's DFU, the ROM of many STM32 among them."""

from __future__ import annotations

import re

from microwright.errors import AmbiguousProbe
from microwright.runners import failures
from microwright.runners.base import Failure, FlashTool, Job, Setting

_USB_ID = "0483:df11"
_HOW = "hold BOOT0 while you press reset (or plug it in), and let go"


def argv(job: Job) -> list[str]:
    """A download by DfuSe, after which the firmware is started."""
    probe = job.where.probe
    return [
        "dfu-util",
        *("--device", str(job.settings.get("usb_id", _USB_ID))),
        *("--alt", str(job.settings.get("alt", 0))),
        *(("--serial", probe) if probe else ()),
        *("--dfuse-address", f"0x{job.origin:08x}:leave"),
        *("--download", str(job.file)),
    ]


RUNNER = FlashTool(
    name="dfu-util",
    about="STM32 by the boot loader in ROM, over the chip's own USB",
    image="bin",
    settings={
        "usb_id": Setting("the boot loader's vendor:product", re.compile("[0-9a-f]{4}:[0-9a-f]{4}")),
        "alt": Setting("the number of the DFU interface's setting that is the flash", most=255),
    },
    probe="serial number",
    verifies=False,
    resets=True,
    boot_loader=_HOW,
    argv=argv,
    install="sudo apt-get install dfu-util",
    version=("dfu-util", "--version"),
    least=(0, 9),
    failures=(
        failures.no_permission("LIBUSB_ERROR_ACCESS"),
        Failure(
            re.compile("More than one DFU capable USB device"),
            AmbiguousProbe,
            "there are several boards in their boot loader",
            "choose one with --probe SERIAL",
        ),
        failures.no_boot_loader(_HOW, "No DFU capable USB device"),
        failures.busy("LIBUSB_ERROR_BUSY", "Cannot claim interface"),
        failures.locked(
            "`dfu-util -s 0x08000000:unprotect:force -D FILE` unlocks it, and loses what is in the flash",
            "errVENDOR",
            "Device's firmware is corrupt",
            "READ_UNPROTECT",
        ),
        failures.wrong_chip("not writeable", "Last page at .* is not", "errADDRESS", "errTARGET"),
    ),
    # The firmware may start before the boot loader has answered its last question.
    done=re.compile("File downloaded successfully"),
    choices=re.compile(r'^Found DFU: \[([0-9a-f:]+)\].* alt=0,.* serial="([^"]+)"', re.MULTILINE),
    listing=("dfu-util", "--list"),
    opens=(_USB_ID,),
)
