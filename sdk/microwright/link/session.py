"""Asking a device: one request, one reply, repeated until it has come through intact."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

from microwright.errors import DeviceError, DeviceTimeout, LinkCorrupt, PortLost
from microwright.link import faults, records
from microwright.link.port import Port, SerialPort
from microwright.link.records import Record

_log = logging.getLogger("microwright.link")

# What a request may take, with all its repeats.
TIMEOUT_S = 10.0

# How long to wait before a request is repeated, on top of the time that its line needs; doubled each time.
_FIRST_WAIT_S = 0.5
# After damage the request is repeated a little later: what else is under way should not count as new damage.
_QUIET_S = 0.02
_MAX_DAMAGED = 16
_MAX_LINE_BYTES = 65536

# A port that is gone is tried again at this interval. A board that enumerates anew takes about two seconds.
_REOPEN_S = 0.1
_BACK_S = 5.0


def ignore(line: str) -> None:
    """Log lines go nowhere."""


class Refused(DeviceError):
    """The device answered with an error; `code` is its name in `docs/protocol.md`."""

    def __init__(self, verb: str, code: str) -> None:
        hint = (
            "it restarted: watch its log, check its power supply"
            if code == "hello"
            else "build and flash the project's firmware again"
        )
        super().__init__(f"the device refuses {verb!r}: {code}", hint)
        self.code = code


class Link:
    """A device at the other end of a serial line; a context manager.

    `on_log` gets each line that is no record, without control characters. `open_port`, `clock` and `sleep`
    stand for the serial port and the time; `first_seq` is the number of the first request, else a random one.
    Raises NoPort where the port cannot be opened. One that goes away later is opened again as soon as it is
    back.
    """

    def __init__(
        self,
        url: str,
        baud: int,
        on_log: Callable[[str], None] = ignore,
        *,
        open_port: Callable[[str, int], Port] = SerialPort,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        first_seq: int | None = None,
    ) -> None:
        self._url = url
        self._baud = baud
        self._on_log = on_log
        self._open_port = open_port
        self._clock = clock
        self._sleep = sleep
        self._received = bytearray()
        # Not 1 each time: replies to an earlier session may still be under way.
        first = secrets.randbelow(records.MAX_SEQ) + 1 if first_seq is None else first_seq
        self._seq = first - 1  # a request takes the next number
        self._damaged_lines = 0
        self._other_lines = 0
        self._port = open_port(url, baud)

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back; what has arrived of the log is passed on."""
        received = bytes(self._received)
        self._received.clear()
        try:
            for line in received.split(b"\n"):
                if records.parse(line) is None and not records.looks_damaged(line):
                    self._pass_on(line)
        finally:
            self._port.close()

    def now_s(self) -> float:
        """The clock that its waits are measured by."""
        return self._clock()

    def idle(self, wait_s: float) -> None:
        """Wait; what the device logs meanwhile is passed on. Raises PortLost, DeviceFault."""
        until = self._clock() + wait_s
        while self._clock() < until:
            try:
                self._await(until)
            except PortLost as error:
                self._reopen(error, self._clock() + _BACK_S)

    @property
    def damaged_lines(self) -> int:
        """Lines so far that were a record and arrived damaged, here or at the device."""
        return self._damaged_lines

    def request(self, verb: str, *, timeout_s: float = TIMEOUT_S, **args: int | str) -> Record:
        """Ask, and return the device's `ok`. Repeats what is lost or damaged; the device does nothing twice.

        Raises Refused when the device says `error`, DeviceTimeout when nothing comes within `timeout_s`,
        LinkCorrupt when nothing comes through undamaged, PortLost when the port goes away and stays away,
        DeviceFault when the device says that its core met a fault.
        """
        self._seq = self._seq % records.MAX_SEQ + 1
        line = records.encode(self._seq, verb, args)
        deadline = self._clock() + timeout_s
        wait_s = _FIRST_WAIT_S + 2 * (len(line) + records.OVERHEAD_CHARS) * 10 / self._baud
        damaged = sent = 0
        failed: DeviceError | None = None  # how the port failed the latest try
        while damaged < _MAX_DAMAGED and self._clock() < deadline:
            before = self._damaged_lines
            failed = None
            sent += 1
            try:
                self._port.write(line)
                reply = self._await(min(deadline, self._clock() + wait_s))
            except PortLost as error:
                self._reopen(error, deadline)
                failed = error
                continue
            except DeviceTimeout as error:
                failed = error
                continue
            if reply is not None:
                return self._checked(verb, reply)
            if self._damaged_lines > before:
                damaged += 1
            else:
                wait_s *= 2
        if failed is not None:
            raise failed
        if damaged:
            raise LinkCorrupt(
                f"the link to {self._url} damages data: {damaged} of {sent} tries of {verb!r} failed by it",
                "check the cable, the board's baud rate and clock, and that nothing else writes to the port",
            )
        where = f"{self._url} at {self._baud} baud"
        raise DeviceTimeout(
            f"no answer to {verb!r} from {where} in {timeout_s:g} s and {sent} tries"
            + (f"; {self._other_lines} lines of other text came" if self._other_lines else ""),
            "check that the project's firmware runs on the device, that this is its port, and the baud rate",
        )

    def send(self, data: bytes) -> None:
        """Send what is no request: another protocol's commands. Raises PortLost, DeviceTimeout."""
        self._port.write(data)

    def line(self, until_s: float) -> bytes | None:
        """The next line, whatever it is, without its newline; None where it is not there in time.

        Raises PortLost.
        """
        while (line := self._next_line()) is None and (left_s := until_s - self._clock()) > 0:
            self._received += self._port.read(left_s)
        return line

    def log(self, line: bytes) -> None:
        """Pass a line on that is the firmware's log."""
        self._pass_on(line)

    def _reopen(self, lost: PortLost, deadline: float) -> None:
        """Open the port that was lost as soon as it is back. Raises `lost` where it stays away."""
        _log.info("%s", lost.message)
        self._port.close()
        if self._received:
            self._received += b"\n"  # the rest of this line is lost
        until = min(deadline, self._clock() + _BACK_S)
        while self._clock() < until:
            self._sleep(_REOPEN_S)
            try:
                self._port = self._open_port(self._url, self._baud)
            except DeviceError:
                continue
            _log.info("port %s is back", self._url)
            return
        raise lost

    def _await(self, until: float) -> Record | None:
        """The reply to the latest request, or None at `until`, or soon after something damaged arrived."""
        while True:
            while (line := self._next_line()) is not None:
                record = records.parse(line)
                if record is None:
                    damaged = records.looks_damaged(line)
                    text = b"" if damaged else line
                else:
                    damaged = record.seq == 0  # the device's word for a damaged request
                    text = line[: line.rindex(b"@")]
                self._pass_on(text)
                if (fault := faults.of(record)) is not None:
                    raise fault
                if record is not None and record.seq == self._seq and record.verb in ("ok", "error"):
                    return record
                if damaged:
                    self._damaged_lines += 1
                    _log.debug("damaged: %r", line)
                    until = min(until, self._clock() + _QUIET_S)
            left_s = until - self._clock()
            if left_s <= 0:
                return None
            self._received += self._port.read(left_s)

    def _next_line(self) -> bytes | None:
        """Takes the first line that has arrived whole, without its newline."""
        end = self._received.find(b"\n")
        if end < 0:
            # Nothing that long is a record, and without its beginning the rest of it is none either.
            end = _MAX_LINE_BYTES
            if len(self._received) <= end:
                return None
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _pass_on(self, line: bytes) -> None:
        text = records.printable(line)
        if text:
            self._other_lines += 1
            self._on_log(text)

    def _checked(self, verb: str, reply: Record) -> Record:
        if reply.verb == "error":
            raise Refused(verb, reply.args.get("code", "unknown")[:40])
        return reply


# What opens a Link: URL, baud rate, where log lines go.
Connect: TypeAlias = Callable[[str, int, Callable[[str], None]], Link]
