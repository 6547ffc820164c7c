"""A device in Python that speaks docs/protocol.md, and a serial line to it."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.faults import Faults

BUILD_ID = "0123456789abcdef0123456789abcdef01234567"

Model = Callable[[Sequence[bytes]], list[bytes]]


def record(seq: int, verb: str, **args: int | str) -> bytes:
    """A line of the protocol, made apart from microwright.link.records."""
    text = " ".join([f"@{seq}", verb, *(f"{key}={value}" for key, value in args.items())]) + " "
    return (text + f"#{zlib.crc32(text.encode()):08x}\n").encode()


def parse(line: bytes) -> tuple[int, str, dict[str, str]] | None:
    """Number, verb and arguments of an intact line."""
    body, _, crc = line.rpartition(b"#")
    if not body.endswith(b" ") or not body.startswith(b"@") or crc != b"%08x" % zlib.crc32(body):
        return None
    seq, verb, *words = body[1:].decode().split()
    return int(seq), verb, dict(word.split("=", 1) for word in words)


class Fault(Exception):
    """A model raises it where the core meets a fault; its one argument is what the device says of that."""


@dataclass
class FakeDevice:
    """Feed it bytes, get its bytes. `executed` has each run that it did, `history` the inputs of those since
    the model was reset; a model's Fault is all that it tells of from then on, until a reset.
    `says` overrides its hello. `arena` is what lies in it once so many layers ran, `clock` the device's time
    in seconds.
    """

    model: Model
    input_bytes: Sequence[int]
    output_bytes: Sequence[int]
    layers: int = 3
    chunk: int = 384
    ticks: Callable[[int], int] = lambda run: 1000 + run
    stack: int = 512
    arena: Callable[[int], bytes] = lambda layers: bytes(4096)
    clock: Callable[[], float] = lambda: 0.0
    says: Mapping[str, int | str] = field(default_factory=dict)
    executed: list[list[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._line = b""
        self.reset()

    def reset(self) -> bytes:
        """Start again, as after a power failure; what it says at boot."""
        self._inputs = [b"" for _ in self.input_bytes]
        self._outputs = [bytes(size) for size in self.output_bytes]
        self.history: list[list[bytes]] = []
        self._last = 0
        self._last_run: tuple[int, bytes] = (0, b"")
        self._timed = False
        self._greeted = False
        self._walked: int | None = None
        self._runs = 0
        self._fault = b""
        return b"fake: ready\n"

    def receive(self, data: bytes) -> bytes:
        """What it sends in answer to some bytes."""
        sent = b""
        for byte in data:
            if byte == ord("@"):
                self._line = b"@"
            elif byte != ord("\n"):
                self._line += bytes([byte])
            elif self._line:
                line, self._line = self._line, b""
                request = parse(line)
                sent += record(0, "damaged") if request is None else self._serve(*request)
        return sent

    def _serve(self, seq: int, verb: str, args: dict[str, str]) -> bytes:
        if not self._fault:
            try:
                return self._answered(seq, verb, args)
            except Fault as fault:
                self._fault = record(0, "fault", **fault.args[0])
        return self._fault

    def _answered(self, seq: int, verb: str, args: dict[str, str]) -> bytes:
        repeated, self._last = seq == self._last, seq
        self._greeted = self._greeted or verb == "hello"
        if not self._greeted:
            return record(seq, "error", code="hello")
        if verb == "run" and repeated and self._last_run[0] == seq:
            return self._last_run[1]
        answer = getattr(self, f"_{verb}", None)
        if answer is None:
            return record(seq, "error", code="verb")
        reply = answer(**args)
        line = record(seq, "error", code=reply) if isinstance(reply, str) else record(seq, "ok", **reply)
        if verb == "run":
            self._last_run = (seq, line)
        return line

    def _hello(self) -> dict[str, int | str]:
        return {
            "proto": 1,
            "board": "fake",
            "engine": "aot",
            "model": "0" * 16,
            "build": BUILD_ID,
            "chunk": self.chunk,
            "timer_hz": 1_000_000,
            "cpu_hz": 2_000_000,
            "counter": "timer",
            "overhead": 3,
            "inputs": ",".join(map(str, self.input_bytes)),
            "outputs": ",".join(map(str, self.output_bytes)),
            "layers": self.layers,
            "arena": 4096,
            **self.says,
        }

    def _write(self, input: str, offset: str, data: str) -> dict[str, int | str] | str:
        index, start = int(input), int(offset)
        if start > len(self._inputs[index]):
            return "order"
        written = self._inputs[index][:start] + base64.b64decode(data, validate=True)
        if len(written) > self.input_bytes[index]:
            return "argument"
        self._walked = None
        self._inputs[index] = written
        return {}

    def _run(
        self, crc: str, layers: str = "0", reset: str = "0", until: str = ""
    ) -> dict[str, int | str] | str:
        flags, steps = {"0", "1"}, {"", *map(str, range(self.layers + 1))}
        if layers not in flags or reset not in flags or until not in steps:
            return "argument"
        if [len(data) for data in self._inputs] != list(self.input_bytes):
            return "incomplete"
        if crc != f"{zlib.crc32(b''.join(self._inputs)):08x}":
            return "crc"
        self.executed.append(self._inputs)
        self.history = [*([] if reset == "1" else self.history), self._inputs]
        self._runs += 1
        self._outputs = self.model(self._inputs)
        self._inputs = [b"" for _ in self.input_bytes]
        self._timed = self._timed or layers == "1"
        self._walked = int(until) if until else None
        return {
            "ticks": self.ticks(len(self.executed) - 1),
            "stack": self.stack,
            "crc": f"{zlib.crc32(b''.join(self._outputs)):08x}",
            "step": len(self.history),
        }

    def _layer(self, index: str) -> dict[str, int | str] | str:
        return {"ticks": 100 * (int(index) + 1)} if self._timed else "incomplete"

    def _advance(self, until: str) -> dict[str, int | str] | str:
        if self._walked is None:
            return "incomplete"
        if int(until) > self.layers:
            return "argument"
        self._walked = max(self._walked, int(until))
        return {}

    def _arena(self, offset: str, bytes: str, data: str = "0") -> dict[str, int | str] | str:
        if self._walked is None:
            return "incomplete"
        piece = self.arena(self._walked)[int(offset) : int(offset) + int(bytes)]
        if data == "1":
            return {"data": binascii.b2a_base64(piece, newline=False).decode()}
        return {"crc": f"{zlib.crc32(piece):08x}"}

    def _read(self, output: str, offset: str, bytes: str) -> dict[str, int | str] | str:
        data = self._outputs[int(output)][int(offset) : int(offset) + int(bytes)]
        return {"data": binascii.b2a_base64(data, newline=False).decode()}

    def _clock(self) -> dict[str, int | str]:
        return {"ticks": round(self.clock() * int(self._hello()["timer_hz"])), "runs": self._runs}

    def _memory(self) -> dict[str, int | str]:
        return {"stack_peak": 1024, "arena_peak": 4000}


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.now_s += seconds


class FakePort:
    """A serial line to a device, with faults both ways, in a clock's time; `open` is a Link's `open_port`."""

    def __init__(self, receive: Callable[[bytes], bytes], clock: Clock, faults: Faults | None = None) -> None:
        self._receive = receive
        self._clock = clock
        self._faults = faults
        self._arriving = b""
        self.sent: list[bytes] = []
        self.closed = False

    def open(self, url: str, baud: int) -> FakePort:
        """The port itself."""
        return self

    def read(self, timeout_s: float) -> bytes:
        """See microwright.link.Port; a piece of what is under way, of random size where there are faults."""
        if not self._arriving or (self._faults and self._faults.happens("hold")):
            self._clock.now_s += timeout_s
            return b""
        count = self._faults.random.randint(1, 64) if self._faults else len(self._arriving)
        data, self._arriving = self._arriving[:count], self._arriving[count:]
        self._clock.now_s += len(data) * 1e-4
        return data

    def write(self, data: bytes) -> None:
        """See microwright.link.Port."""
        self.sent.append(data)
        self._clock.now_s += len(data) * 1e-4
        if self._faults:
            self._arriving += self._faults.apply(self._receive(self._faults.apply(data)))
        else:
            self._arriving += self._receive(data)

    def say(self, data: bytes) -> None:
        """The device sends something by itself."""
        self._arriving += data

    def close(self) -> None:
        """See microwright.link.Port."""
        self.closed = True
