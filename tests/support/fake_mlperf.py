"""A device that answers MLPerf Tiny's commands and records, from docs/mlperf.md alone."""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.support.fake_device import FakeDevice


@dataclass
class FakeMlperf:
    """Feed it bytes, get its bytes. `us` is what an inference takes; `inferences` has each input it ran on,
    with the numbers of inferences and warm-ups; `clock` is the device's time in seconds.
    """

    input_bytes: int
    infer: Callable[[bytes], Sequence[float]]
    us: int = 1000
    model: str = "mine"
    clock: Callable[[], float] = lambda: 0.0
    inferences: list[tuple[bytes, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._records = FakeDevice(lambda inputs: [b""], [self.input_bytes], [0], clock=self.clock)
        self.reset()

    def reset(self) -> None:
        """Start again, as after a power failure."""
        self._records.reset()
        self._line = b""
        self._expected = 0
        self._data = b""
        self._crc = 1  # nothing that a host could count from

    def receive(self, data: bytes) -> bytes:
        """What it sends in answer to some bytes."""
        sent = b""
        for byte in data:
            if byte == ord("@"):
                self._line = b"@"
            elif byte == ord("%"):
                line, self._line = self._line, b""
                sent += self._answer(line)
            elif byte == ord("\n"):
                line, self._line = self._line, b""
                sent += self._records.receive(line + b"\n")
            else:
                self._line += bytes([byte])
        return sent

    def _answer(self, line: bytes) -> bytes:
        command = line.decode("latin-1")
        if command == "check":
            sent = b"m-check-[%08x]\r\nm-ready\r\n" % self._crc
            self._crc = 0
            return sent
        lines = [*self._serve(command.split()), "m-ready"]
        sent = "".join(f"{text}\r\n" for text in lines).encode()
        self._crc = zlib.crc32(line + sent, self._crc)
        return sent

    def _serve(self, words: list[str]) -> list[str]:
        match words:
            case ["name"]:
                return ["m-name-dut-[fake]"]
            case ["profile"]:
                return ["m-profile-[a profile]", f"m-model-[{self.model}]"]
            case ["db", "load", count] if count.isdecimal() and 0 < int(count) <= self.input_bytes:
                self._expected, self._data = int(count), b""
                return [f"m-[Expecting {count} bytes]"]
            case ["db", text]:
                try:
                    piece = binascii.unhexlify(text)
                except ValueError:
                    return ["e-[no bytes in hexadecimal]"]
                if len(self._data + piece) > self._expected:
                    return ["e-[more bytes than expected]"]
                self._data += piece
                return ["m-load-done"] if len(self._data) == self._expected else []
            case ["infer", count, warmups] if count.isdecimal() and warmups.isdecimal():
                if len(self._data) != self.input_bytes:
                    return ["e-[the input is not whole]"]
                self.inferences.append((self._data, int(count), int(warmups)))
                results = ",".join(f"{value:.9f}" for value in self.infer(self._data))
                return [
                    f"m-warmup-start-{warmups}",
                    "m-warmup-done",
                    f"m-infer-start-{count}",
                    "m-lap-us-0",
                    f"m-lap-us-{self.us * int(count)}",
                    "m-infer-done",
                    f"m-results-[{results}]",
                ]
        return ["e-[unknown command]"]
