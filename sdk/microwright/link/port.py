"""The serial line as bytes: pyserial behind the three calls that the link needs."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from typing import Protocol

from microwright.errors import DeviceTimeout, NoPort, PortLost
from microwright.link import ports

# A read gives up after this long and looks at its deadline. It is set once: changing the timeout of an open
# port sends commands to the device server at the other end of rfc2217://.
POLL_S = 0.02
# Others look at a port for a moment when it appears: services for modems, links that lost one of that name.
_BUSY_S = 2.0
# A write waits for what does not fit the system's buffer: for the longest line at most, and a little.
_WRITE_TIMEOUT_S = 2.0
_LONGEST_LINE_BYTES = 8192


class Port(Protocol):
    """A byte stream to a device and back."""

    def read(self, timeout_s: float) -> bytes:
        """What has arrived; waits for the first byte, b"" where none comes in time. Raises PortLost."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it. Raises PortLost; DeviceTimeout where the device takes no more of it."""
        ...

    def close(self) -> None:
        """Give the port back; a second call does nothing."""
        ...


class SerialPort:
    """A port: a device's name (`/dev/ttyACM0`, `COM3`), `socket://`, `rfc2217://`, `hwgrep://`."""

    def __init__(self, url: str, baud: int) -> None:
        import serial

        self._url = url
        self._errors: tuple[type[Exception], ...] = (serial.SerialException, OSError)
        if sys.platform != "win32":
            import termios  # whose error is no OSError: a port that goes away while it is being set up

            self._errors += (termios.error,)
        self._write_timeout = serial.SerialTimeoutException
        deadline = time.monotonic() + _BUSY_S
        try:
            while True:
                try:
                    self._serial = serial.serial_for_url(
                        ports.resolve(url),
                        baudrate=baud,
                        timeout=POLL_S,
                        write_timeout=_WRITE_TIMEOUT_S + _LONGEST_LINE_BYTES * 10 / baud,
                        exclusive=True,
                    )
                    break
                except serial.SerialException as error:
                    if error.errno != errno.EWOULDBLOCK or time.monotonic() >= deadline:
                        raise
                    time.sleep(POLL_S)
        except (
            *self._errors,
            ValueError,
            TypeError,
            KeyError,
        ) as error:  # the last three: a URL that is none
            raise NoPort(
                f"cannot open port {url}: {_one_line(error)}",
                ports.refused(url)
                or "check its name, that the board is plugged in and that no other program has the port open",
            ) from None

    def read(self, timeout_s: float) -> bytes:
        """See Port."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                data = bytes(self._serial.read(1))
                if data:
                    return data + self._waiting()
                if time.monotonic() >= deadline:
                    return b""
        except self._errors as error:
            raise self._lost(error) from None

    def _waiting(self) -> bytes:
        """What has arrived already. The next read tells of a port that is lost here: this came before."""
        try:
            waiting = self._serial.in_waiting
            return bytes(self._serial.read(waiting)) if waiting else b""
        except self._errors:
            return b""

    def write(self, data: bytes) -> None:
        """See Port."""
        try:
            self._serial.write(data)
        except self._write_timeout:
            raise DeviceTimeout(
                f"port {self._url} takes no data",
                "reset the device; check that its firmware runs and reads its serial port",
            ) from None
        except self._errors as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """See Port."""
        # pyserial forgets to close a socket that the other end has closed already.
        connection = getattr(self._serial, "_socket", None)
        with contextlib.suppress(*self._errors):
            self._serial.close()
        if connection is not None:
            connection.close()

    def _lost(self, error: Exception) -> PortLost:
        return PortLost(
            f"lost port {self._url}: {_one_line(error)}",
            "check that the board is still plugged in, or the emulator still running",
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
