"""A serial line on a TCP port of this computer, one host at a time."""

from __future__ import annotations

import os
import select
import socket

_LOOK_S = 1.0


class Line:
    """Bytes from and to the host. While no host is connected, what is sent is lost, as on a wire.

    The program ends itself when the one that started it is gone.
    """

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._host: socket.socket | None = None
        self._received = bytearray()
        self._to_send = bytearray()

    def close(self) -> None:
        """Hang up."""
        self._hang_up()
        self._listener.close()

    @property
    def port(self) -> int:
        """Where a host connects."""
        port: int = self._listener.getsockname()[1]
        return port

    def connect(self) -> None:
        """Wait for a host."""
        while self._host is None:
            self._look(None)

    def wait(self) -> None:
        """Send what is to be sent, and wait for a byte."""
        self.flush()
        while not self._received:
            self._look(None)

    def available(self) -> bool:
        """Whether a byte is there."""
        if not self._received:
            self._look(0.0)
        return bool(self._received)

    def read(self) -> int:
        """The next byte; 0 where there is none."""
        return self._received.pop(0) if self.available() else 0

    def write(self, byte: int) -> None:
        """Send a byte, with others until the end of the line."""
        self._to_send.append(byte)
        if byte == 0x0A:
            self.flush()

    def flush(self) -> None:
        """Send what is to be sent, as fast as the host takes it."""
        while self._to_send and self._host is not None:
            try:
                if select.select((), (self._host,), (), _LOOK_S)[1]:
                    del self._to_send[: self._host.send(self._to_send)]
            except OSError:
                self._hang_up()
            self.end_with_parent()
        self._to_send.clear()

    def end_with_parent(self) -> None:
        """End the program where the one that started it is gone."""
        if os.getppid() != self._parent:
            os._exit(0)

    def _look(self, timeout_s: float | None) -> None:
        """Take a host's call, or what it sent; without a timeout, come back now and then."""
        source = self._host or self._listener
        if not select.select((source,), (), (), _LOOK_S if timeout_s is None else timeout_s)[0]:
            if timeout_s is None:
                self.end_with_parent()
        elif self._host is None:
            self._host = self._listener.accept()[0]
            self._host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            try:
                data = self._host.recv(65536)
            except OSError:
                data = b""
            self._received += data
            if not data:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
