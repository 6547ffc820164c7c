"""Stands between a Link and a device as byte streams, and does to them what serial lines do."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from microwright.runners import Device
from tests.support.faults import Faults

_POLL_S = 0.05
_PIECE_BYTES = 4096

# The longest that bytes are held back, and that the port is away.
_LONGEST_HOLD_S = 1.0
_LONGEST_AWAY_S = 2.0


class Proxy:
    """A TCP port in front of a device; a context manager. `start` starts the device, anew at each reset.

    A reset leaves the connection open, as a converter on the board does. A closed port refuses connections
    for a while.
    """

    def __init__(self, start: Callable[[], Device], faults: Faults) -> None:
        self._start = start
        self._faults = faults
        self._device = start()
        self._device_end = _connect(self._device.url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        self.url = f"socket://{self._address[0]}:{self._address[1]}"
        self._client: socket.socket | None = None
        self._ending = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        self._thread.join(30)
        if self._client is not None:
            self._client.close()
        self._listener.close()
        os.close(self._device_end)
        self._device.close()
        if self._error is not None:
            raise self._error

    def _serve(self) -> None:
        try:
            while not self._ending:
                if self._client is None:
                    self._accept()
                else:
                    self._pass_on(self._client)
        except BaseException as error:
            self._error = error

    def _accept(self) -> None:
        if select.select([self._listener], [], [], _POLL_S)[0]:
            self._client, _ = self._listener.accept()
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _pass_on(self, client: socket.socket) -> None:
        ready = select.select([client, self._device_end], [], [], _POLL_S)[0]
        if self._device_end in ready:
            for piece in self._faults.pieces(os.read(self._device_end, _PIECE_BYTES)):
                if self._faults.happens("hold"):
                    time.sleep(self._faults.seconds(_LONGEST_HOLD_S))
                with contextlib.suppress(OSError):  # the client has gone
                    client.sendall(piece)
        if client in ready:
            try:
                data = client.recv(_PIECE_BYTES)
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                return
            for piece in self._faults.pieces(data):
                if self._faults.happens("reset"):
                    at = self._faults.random.randrange(len(piece) + 1)
                    self._write(piece[:at])
                    self._reset()
                    piece = piece[at:]
                self._write(piece)
            if self._faults.happens("close"):
                self._hang_up()
                self._listener.close()
                time.sleep(self._faults.seconds(_LONGEST_AWAY_S))
                self._listener = socket.create_server(self._address)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._device_end, data) :]

    def _reset(self) -> None:
        os.close(self._device_end)
        self._device.close()
        self._device = self._start()
        self._device_end = _connect(self._device.url)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _connect(url: str) -> int:
    """A file descriptor of a device's line."""
    if url.startswith("socket://"):
        host, _, port = url.removeprefix("socket://").rpartition(":")
        return socket.create_connection((host, int(port))).detach()
    return os.open(url, os.O_RDWR | os.O_NOCTTY)
