"""Finding serial ports: by a board's USB ids, by `hwgrep://`, by the names of operating systems."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microwright.errors import AmbiguousPort, BoardError, NoPort

# In place of a port's name: look for it by the board's USB ids.
AUTO = "auto"

_HWGREP = "hwgrep://"
_LISTED = 8
_POLL_S = 0.05
# How long a port that a board's boot loader opens may take to be there, and how soon the old one goes.
_BACK_S = 10.0
_STAYS_S = 2.0


@dataclass(frozen=True)
class PortInfo:
    """A serial port of this computer. `usb_id` is `vendor:product`, None where it is not on USB."""

    device: str
    description: str
    usb_id: str | None
    serial_number: str | None

    def __str__(self) -> str:
        facts = [self.description, self.usb_id or "no USB id"]
        if self.serial_number:
            facts.append(f"serial number {self.serial_number}")
        return f"{self.device} ({', '.join(facts)})"


def listed() -> tuple[PortInfo, ...]:
    """The serial ports that are there, sorted by name."""
    from serial.tools import list_ports

    return tuple(
        PortInfo(
            port.device,
            _printable(port.description or "n/a"),
            None if port.vid is None or port.pid is None else f"{port.vid:04x}:{port.pid:04x}",
            _printable(port.serial_number) if port.serial_number else None,
        )
        for port in sorted(list_ports.comports(), key=lambda port: _natural(port.device))
    )


def find(usb_ids: Sequence[str], board_id: str, serial_number: str | None = None) -> str:
    """Name of the one port that has one of a board's USB ids.

    Of several, the one with this in its serial number, such as a debug probe's which is the port, too.
    Raises NoPort, AmbiguousPort, and BoardError where the board has no ids.
    """
    there = listed()
    if not usb_ids:
        raise BoardError(
            f"board {board_id} names no USB ids to find its port by; {_these(there)}",
            "give the port with --port, or its ids in the board file: [serial] usb_ids = [...]",
        )
    matching = [port for port in there if port.usb_id in usb_ids]
    part = (serial_number or "").lower()
    own = [port for port in matching if part and part in (port.serial_number or "").lower()]
    return _only(there, own or matching, f"USB id {' or '.join(usb_ids)}")


def resolve(name: str) -> str:
    """What pyserial opens for the name of a port: `hwgrep://` becomes the one port that it names.

    A URL stays as it is, and so do `COM3` and `/dev/ttyACM0`. On macOS, `/dev/tty.` becomes `/dev/cu.`, which
    does not wait for a modem's carrier. Raises NoPort, AmbiguousPort.
    """
    if name.lower().startswith(_HWGREP):
        return _grep(name)
    if sys.platform == "darwin" and name.startswith("/dev/tty."):
        return name.replace("tty.", "cu.", 1)
    return name


def there(name: str) -> str:
    """A port as `resolve` gives it, which is there as far as can be seen. Raises NoPort, AmbiguousPort."""
    found = resolve(name)
    if found.startswith("/") and not Path(found).exists():
        raise NoPort(f"there is no port {found}", "check its name and that the board is plugged in")
    return found


def refused(device: str) -> str | None:
    """What lets this user open a port that is there and that the system does not let him open; else None."""
    path = Path(device)
    if not path.exists() or os.access(path, os.R_OK | os.W_OK):
        return None
    try:
        group = path.group()
    except (OSError, KeyError, NotImplementedError):  # the last where a system has no groups (pathlib)
        group = "dialout"
    return f"sudo usermod -aG {group} $USER, and log in anew"


def touch(name: str) -> str:
    """Open a port at 1200 baud and close it: boards with such a boot loader reset into it, as another port.

    Returns the port that they come back as; the same one where nothing changes, as in the boot loader
    itself. Raises NoPort where none comes back in time.
    """
    import serial

    before = {port.device for port in listed()}
    try:
        serial.Serial(name, 1200).close()
    except (serial.SerialException, OSError, ValueError) as error:
        raise NoPort(
            f"cannot open port {name}: {' '.join(str(error).split())}",
            "check its name, that the board is plugged in and that no other program has the port open",
        ) from None
    started_s = time.monotonic()
    while time.monotonic() - started_s < _BACK_S:
        time.sleep(_POLL_S)
        there = {port.device for port in listed()}
        new = sorted(there - before)
        if new:
            return new[0]
        if name in there or name not in before:
            if time.monotonic() - started_s > _STAYS_S:
                return name
        else:
            before.discard(name)  # gone: it is new when it comes back
    raise NoPort(
        f"port {name} did not come back within {_BACK_S:g} s after it was opened at 1200 baud",
        "start the board's boot loader by hand, and try again",
    )


def _grep(url: str) -> str:
    """The port whose name, description or `VID:PID=0483:374B SER=...` an expression matches.

    As in pyserial, `&n=2` behind it takes the second one of several; without it, there has to be one.
    """
    from serial.tools import list_ports

    expression, _, option = url[len(_HWGREP) :].partition("&")
    wanted = re.fullmatch(r"n=([1-9][0-9]{0,3})", option)
    if option and wanted is None:
        raise NoPort(f"cannot open port {url}: {option!r} is not n=1 or higher", "correct the URL")
    there = listed()
    try:
        devices = {port.device for port in list_ports.grep(expression)}
    except re.error as error:
        raise NoPort(
            f"cannot open port {url}: {expression!r} is no regular expression: {error}", "correct the URL"
        ) from None
    matching = [port for port in there if port.device in devices]
    if wanted is not None:
        matching = matching[int(wanted[1]) - 1 : int(wanted[1])]
    return _only(there, matching, url)


def _only(there: Sequence[PortInfo], matching: Sequence[PortInfo], what: str) -> str:
    if not matching:
        raise NoPort(
            f"no port matches {what}; {_these(there)}", "check that the board is plugged in, or give --port"
        )
    if len(matching) > 1:
        raise AmbiguousPort(
            f"{len(matching)} ports match {what}: {_enumerated(matching)}", "choose one with --port"
        )
    return matching[0].device


def _these(there: Sequence[PortInfo]) -> str:
    return f"there are: {_enumerated(there)}" if there else "there is no serial port"


def _enumerated(ports: Sequence[PortInfo]) -> str:
    more = f"; and {len(ports) - _LISTED} more" if len(ports) > _LISTED else ""
    return "; ".join(map(str, ports[:_LISTED])) + more


def _printable(text: str) -> str:
    """What a device says of itself, fit for one line."""
    return "".join(c if c.isprintable() else "?" for c in text[:80])


def _natural(device: str) -> list[tuple[int, str]]:
    """Sorts COM3 before COM10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", device)]
