"""USB devices that are plugged in, as Linux lists them; on other systems none is known."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

# Debug probes, by `vendor:product name`. Those of CMSIS-DAP have it in their name.
ST_LINK = re.compile("0483:37(44|48|4[a-f]|5[0-9]) .*")
ANY_PROBE = re.compile(f"{ST_LINK.pattern}|(0d28:0204|2e8a:000[4c]|1366:....) .*|.*CMSIS-DAP.*")

DEVICES = Path("/sys/bus/usb/devices")
NODES = Path("/dev/bus/usb")


@dataclass(frozen=True)
class UsbDevice:
    """A device. `serial` is "" where it has none, `node` the file that programs open to talk to it."""

    usb_id: str
    product: str
    serial: str
    node: Path

    def __str__(self) -> str:
        return f"{self.serial or 'no serial number'} ({self.product or 'n/a'}, {self.usb_id})"

    @property
    def permitted(self) -> bool:
        """Whether this user may open it."""
        return os.access(self.node, os.R_OK | os.W_OK)


def listed() -> tuple[UsbDevice, ...]:
    """The devices, sorted by where they are plugged in."""
    try:
        folders = sorted(DEVICES.iterdir())
    except OSError:
        return ()
    found = []
    for folder in folders:
        vendor, product = _read(folder / "idVendor"), _read(folder / "idProduct")
        bus, number = _read(folder / "busnum"), _read(folder / "devnum")
        if vendor and product and bus.isdecimal() and number.isdecimal():
            found.append(
                UsbDevice(
                    f"{vendor}:{product}",
                    _read(folder / "product"),
                    _read(folder / "serial"),
                    NODES / f"{int(bus):03}" / f"{int(number):03}",
                )
            )
    return tuple(found)


def matching(pattern: re.Pattern[str]) -> tuple[UsbDevice, ...]:
    """The devices whose `vendor:product name` is of a pattern."""
    return tuple(d for d in listed() if pattern.fullmatch(f"{d.usb_id} {d.product}"))


def _read(path: Path) -> str:
    """A line that a device says of itself, fit to be shown; "" where it does not."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return "".join(c if c.isprintable() else "?" for c in text[:80])
