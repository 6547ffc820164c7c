"""A serial line with all faults, in a clock's time: to a device that restarts, over a port that goes away."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from microwright.errors import NoPort, PortLost
from tests.support.fake_device import Clock
from tests.support.faults import Faults

_BYTE_S = 10 / 115_200

# Longer than a request may take, and longer than a port may be away, so that this ends in errors, too.
_LONGEST_HOLD_S = 15.0
_LONGEST_AWAY_S = 8.0


class Restartable(Protocol):
    """A device that can be made to start anew."""

    def receive(self, data: bytes) -> bytes:
        """What it says to some bytes."""
        ...

    def reset(self) -> bytes:
        """Start it anew; what it says at boot."""
        ...


class FaultyLine:
    """A Link's `open_port`, and the port that it opens. `said` has the last lines that the device sent."""

    def __init__(self, device: Restartable, clock: Clock, faults: Faults) -> None:
        self._device = device
        self._clock = clock
        self.faults = faults
        self._arriving: deque[tuple[float, bytes]] = deque()
        self._back_s = 0.0
        self._away = False
        self.said: deque[bytes] = deque(maxlen=400)
        self.closed = True

    def open(self, url: str, baud: int) -> FaultyLine:
        """The port, unless it is away."""
        if self._clock.now_s < self._back_s:
            raise NoPort("nothing there", "")
        self.closed = self._away = False
        return self

    def write(self, data: bytes) -> None:
        """See microwright.link.Port."""
        assert not self.closed
        if self._away:
            raise PortLost("lost port", "")
        self._clock.sleep(len(data) * _BYTE_S)
        for piece in self.faults.pieces(data):
            if self.faults.happens("reset"):
                at = self.faults.random.randrange(len(piece) + 1)
                self._receive(piece[:at])
                self._arrive(self._device.reset())
                piece = piece[at:]
            self._receive(piece)
        if self.faults.happens("close"):
            self._away = True
            self._back_s = self._clock.now_s + self.faults.seconds(_LONGEST_AWAY_S)
            # Some of what is under way still arrives.
            for _ in range(self.faults.random.randrange(len(self._arriving) + 1)):
                self._arriving.pop()

    def read(self, timeout_s: float) -> bytes:
        """See microwright.link.Port."""
        assert not self.closed
        until = self._clock.now_s + timeout_s
        if not self._arriving:
            if self._away:
                raise PortLost("lost port", "")
            self._clock.now_s = until
            return b""
        ready, data = self._arriving[0]
        if ready > until:
            self._clock.now_s = until
            return b""
        self._arriving.popleft()
        self._clock.now_s = max(ready, self._clock.now_s)
        return data

    def close(self) -> None:
        """See microwright.link.Port. What the device says later is for who opens the port next."""
        self.closed = True

    def _receive(self, data: bytes) -> None:
        sent = self._device.receive(data)
        self.said.extend(sent.splitlines())
        self._arrive(sent)

    def _arrive(self, data: bytes) -> None:
        for piece in self.faults.pieces(data):
            ready = self._arriving[-1][0] if self._arriving else self._clock.now_s
            if self.faults.happens("hold"):
                ready += self.faults.seconds(_LONGEST_HOLD_S)
            self._arriving.append((max(ready, self._clock.now_s) + len(piece) * _BYTE_S, piece))
