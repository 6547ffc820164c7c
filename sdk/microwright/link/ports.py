"""Finding serial ports: by a board's USB ids, by `hwgrep://`, by the names of operating systems."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from microwright.errors import AmbiguousPort, BoardError, NoPort

# In place of a port's name: look for it by the board's USB ids.
AUTO = "auto"

_HWGREP = "hwgrep://"
_LISTED = 8


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


def find(usb_ids: Sequence[str], board_id: str) -> str:
    """Name of the one port that has one of a board's USB ids.

    Raises NoPort, AmbiguousPort, and BoardError where the board has no ids.
    """
    there = listed()
    if not usb_ids:
        raise BoardError(
            f"board {board_id} names no USB ids to find its port by; {_these(there)}",
            "give the port with --port, or its ids in the board file: [serial] usb_ids = [...]",
        )
    return _only(there, [port for port in there if port.usb_id in usb_ids], f"USB id {' or '.join(usb_ids)}")


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
