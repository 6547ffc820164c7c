"""What serial lines do to bytes, by a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Faults:
    """Faults of a line, each with its probability: of a byte, a piece (what is written or read at once) or a
    line that the host writes. `counts` has how many there were.
    """

    random: random.Random
    # A byte is lost, gets another bit, comes twice, or has a random one behind it.
    drop: float = 0.0
    flip: float = 0.0
    repeat: float = 0.0
    insert: float = 0.0
    # A piece comes later, comes twice, or in several pieces.
    hold: float = 0.0
    again: float = 0.0
    split: float = 0.0
    # In the middle of a line the device starts anew, or the port goes away.
    reset: float = 0.0
    close: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def happens(self, kind: str) -> bool:
        """Whether it does, this time."""
        happens = self.random.random() < getattr(self, kind)
        if happens:
            self.counts[kind] += 1
        return happens

    def apply(self, data: bytes) -> bytes:
        """The bytes that come out at the other end."""
        if not self.drop + self.flip + self.repeat + self.insert:
            return data
        out = bytearray()
        for byte in data:
            if self.happens("drop"):
                continue
            if self.happens("flip"):
                byte ^= 1 << self.random.randrange(8)
            out.append(byte)
            if self.happens("repeat"):
                out.append(byte)
            if self.happens("insert"):
                out.append(self.random.randrange(256))
        return bytes(out)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The bytes, damaged, as they come: whole or in pieces, once or twice."""
        data = self.apply(data)
        while self.happens("split") and len(data) > 1:
            size = self.random.randrange(1, len(data))
            yield data[:size]
            data = data[size:]
        yield data
        if self.happens("again"):
            yield data

    def seconds(self, longest_s: float) -> float:
        """How long something takes: mostly little, seldom up to the longest."""
        return float(longest_s * self.random.random() ** 4)
