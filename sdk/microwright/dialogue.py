"""What can be asked of a device: inferences, whole or layer by layer; each answer is checked before use."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from microwright.errors import LinkCorrupt, StaleFirmware
from microwright.graph import Array, Graph, Tensor
from microwright.latency import Timer
from microwright.link import TIMEOUT_S, Link, Record, Refused, answers, clock

PROTOCOL = 1

# The longest that an inference may take; slow boards need some seconds for the largest models that they hold.
RUN_TIMEOUT_S = 120.0

_SMALLEST_CHUNK_BYTES = 16
_LARGEST_CHUNK_BYTES = 4096
_TRIES = 3

# What a device takes the checksum of in one go, which should not last until the host repeats its request.
PIECE_BYTES = 16_384

# What a device answers that does not have what was sent to it: it restarted, or a request came twice.
_FORGOT = ("hello", "order", "incomplete", "crc")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Run:
    """One inference: ticks of the device's timer, the stack it used, its outputs and their CRC-32."""

    ticks: int
    stack_bytes: int
    outputs: tuple[bytes, ...]
    crc: int


def greet(link: Link, build_id: str) -> Record:
    """The device's hello; that of other firmware is refused. Raises StaleFirmware and the link's errors."""
    hello = link.request("hello")
    if hello.args.get("proto") != str(PROTOCOL):
        raise StaleFirmware(
            f"the device speaks protocol {hello.args.get('proto', '?')[:20]}, expected {PROTOCOL}",
            "generate, build and flash the project again: `microwright flash DIR`",
        )
    build = hello.args.get("build", "")
    if build != build_id:
        raise StaleFirmware(
            f"the device runs build {build[:12] or 'unknown'}, the image is build {build_id[:12]}",
            "flash the image that was built last: `microwright flash DIR`",
        )
    return hello


def timer_of(hello: Record) -> Timer:
    """What counts a device's times, as it says itself. Raises DeviceError."""
    return Timer(
        hello.args.get("counter", "")[:40] or "unknown",
        answers.number(hello, "timer_hz", 1, 10**10),
        answers.number(hello, "overhead", 0, 2**63),
    )


class Device:
    """A device that runs the build of a graph; every number that it says is checked before use."""

    def __init__(self, link: Link, graph: Graph, build_id: str) -> None:
        self._link = link
        self._build_id = build_id
        hello = greet(self._link, self._build_id)
        self.hello = hello.args
        self._input_bytes = tuple(graph.tensors[i].size_bytes for i in graph.inputs)
        self._output_bytes = tuple(graph.tensors[i].size_bytes for i in graph.outputs)
        for key, sizes in (("inputs", self._input_bytes), ("outputs", self._output_bytes)):
            wanted = ",".join(str(size) for size in sizes)
            if hello.args.get(key) != wanted:
                raise answers.wrong(hello, key, f"{wanted} bytes")
        # Some runtimes cannot time layers apart, and say that there are none.
        nodes = 0 if hello.args.get("layers") == "0" else len(graph.nodes)
        self._layers = answers.number(hello, "layers", nodes, nodes)
        self._chunk_bytes = answers.number(hello, "chunk", _SMALLEST_CHUNK_BYTES, _LARGEST_CHUNK_BYTES)
        self.timer = timer_of(hello)
        self._restarted = False
        self._begun = self._ask(lambda: clock.read(link), again=lambda: greet(link, build_id))
        # The samples that made the state which the device should be in.
        self._since_reset: list[tuple[bytes, ...]] = []

    def run(self, sample: tuple[bytes, ...], *, reset: bool, layers: bool = False) -> Run:
        """One inference, from the state after a reset or after the run before.

        Both sides check what the device holds; where it differs, all is sent again, from the reset on.
        """
        self._remember(sample, reset)
        return self._run_last({"layers": 1} if layers else {})

    def walk(self, sample: tuple[bytes, ...], visit: Callable[[], _T], *, reset: bool) -> _T:
        """What `visit` gives, which goes through an inference from in front of its first layer on.

        It uses `advance`, `checksums` and `fetch`. Where the device restarts, it is called once more.
        """
        self._remember(sample, reset)
        self._run_last({"until": 0})
        return self._ask(visit, again=lambda: self._run_last({"until": 0}))

    def advance(self, until: int) -> None:
        """Run up to so many layers of a walk."""
        self._link.request("advance", timeout_s=RUN_TIMEOUT_S, until=until)

    def checksums(self, offset: int, size: int) -> tuple[str, ...]:
        """What `checksums_of` gives for the bytes that lie in the arena there."""
        pieces = ((start, min(PIECE_BYTES, size - start)) for start in range(0, size, PIECE_BYTES))
        replies = (self._link.request("arena", offset=offset + start, bytes=n) for start, n in pieces)
        return tuple(answers.checksum(reply, "crc") for reply in replies)

    def fetch(self, offset: int, size: int) -> bytes:
        """The bytes that lie in the arena there. Raises LinkCorrupt where its checksum is of others."""
        for _ in range(_TRIES):
            data = self._fetch(size, "arena", data=1, origin=offset)
            if self.checksums(offset, size) == checksums_of(data):
                return data
        raise LinkCorrupt(
            f"{size} bytes at {offset} of the arena differ {_TRIES} times from the device's checksum",
            "check its power supply, and that nothing else writes to the model's arena",
        )

    def _remember(self, sample: tuple[bytes, ...], reset: bool) -> None:
        if reset:
            self._since_reset = []
        self._since_reset.append(sample)

    def _run_last(self, options: Mapping[str, int]) -> Run:
        last = len(self._since_reset) - 1
        for attempt in range(_TRIES):
            try:
                if attempt:
                    greet(self._link, self._build_id)
                for step in range(0 if attempt else last, last):
                    self._run_once(self._since_reset[step], step, {})
                return self._run_once(self._since_reset[last], last, options)
            except Refused as refused:
                if refused.code not in _FORGOT:
                    raise
                self._restarted |= refused.code == "hello"
                problem = str(refused)
            except _OutputDamaged:
                problem = "outputs that differ from the device's checksum"
            except _StateLost:
                problem = "the device's state lost"
        raise LinkCorrupt(
            f"one inference failed {_TRIES} times in a row, at last with: {problem}",
            "check the power supply and that nothing else writes to the port; watch the log for restarts",
        )

    def _run_once(self, sample: tuple[bytes, ...], step: int, options: Mapping[str, int]) -> Run:
        crc = 0
        for index, data in enumerate(sample):
            self._write(index, data)
            crc = zlib.crc32(data, crc)
        options = {**options} if step else {**options, "reset": 1}
        reply = self._link.request("run", timeout_s=RUN_TIMEOUT_S, crc=f"{crc:08x}", **options)
        if answers.number(reply, "step", 0, 2**32 - 1) != step + 1:
            raise _StateLost
        if "until" in options:
            return Run(0, 0, (), 0)
        outputs = tuple(self._read(index, size) for index, size in enumerate(self._output_bytes))
        crc = 0
        for data in outputs:
            crc = zlib.crc32(data, crc)
        if reply.args.get("crc") != f"{crc:08x}":
            raise _OutputDamaged
        return Run(
            answers.number(reply, "ticks", 0, 2**63),
            answers.number(reply, "stack", 0, 2**32 - 1),
            outputs,
            crc,
        )

    def layer_ticks(self, sample: tuple[bytes, ...]) -> tuple[int, ...]:
        """Timer ticks of each layer in one inference; none where the device cannot time them."""
        if not self._layers:
            return ()
        self.run(sample, reset=True, layers=True)
        return self._ask(
            lambda: tuple(
                answers.number(self._link.request("layer", index=index), "ticks", 0, 2**63)
                for index in range(self._layers)
            ),
            again=lambda: self.run(sample, reset=True, layers=True),
        )

    def peaks(self, sample: tuple[bytes, ...]) -> tuple[int, int]:
        """The most bytes of stack and arena since start, an inference included."""
        reply = self._ask(lambda: self._link.request("memory"), again=lambda: self.run(sample, reset=True))
        stack, arena = (answers.number(reply, f"{what}_peak", 0, 2**32 - 1) for what in ("stack", "arena"))
        return stack, arena

    def _ask(self, question: Callable[[], _T], again: Callable[[], object]) -> _T:
        """The answer about an inference, which is done `again` where the device restarted since."""
        for _ in range(_TRIES - 1):
            try:
                return question()
            except Refused as refused:
                if refused.code not in _FORGOT:
                    raise
                self._restarted |= refused.code == "hello"
            again()
        return question()

    @property
    def fresh(self) -> bool:
        """Whether it had done no inference when the link was opened."""
        return self._begun.runs == 0

    def clock_ratio(self) -> tuple[float, float] | None:
        """Bounds of its clock over the host's since the link was opened; None where it restarted since."""
        if self._restarted:
            return None
        try:
            return clock.ratio(self._link, self._begun, self.timer.hz)
        except Refused as refused:
            if refused.code != "hello":
                raise
            return None

    def _write(self, index: int, data: bytes) -> None:
        offset = 0
        while offset < len(data):
            chunk = data[offset : offset + self._chunk_bytes]
            text = base64.b64encode(chunk).decode("ascii")
            if self._transfer("write", input=index, offset=offset, data=text) is not None:
                offset += len(chunk)

    def _read(self, index: int, size: int) -> bytes:
        return self._fetch(size, "read", output=index)

    def _fetch(self, size: int, verb: str, origin: int = 0, **args: int) -> bytes:
        data = b""
        while len(data) < size:
            count = min(self._chunk_bytes, size - len(data))
            reply = self._transfer(verb, **args, offset=origin + len(data), bytes=count)
            if reply is not None:
                data += answers.data(reply, "data", count)
        return data

    def _transfer(self, verb: str, **args: int | str) -> Record | None:
        """Ask once; None after making chunks smaller: a short line has a better chance on a bad link."""
        try:
            return self._link.request(verb, timeout_s=TIMEOUT_S, **args)
        except LinkCorrupt:
            if self._chunk_bytes <= _SMALLEST_CHUNK_BYTES:
                raise
            self._chunk_bytes = max(self._chunk_bytes // 2, _SMALLEST_CHUNK_BYTES)
            return None


class _StateLost(Exception):
    """The device started again since the inference before."""


class _OutputDamaged(Exception):
    """The outputs are not those that the device computed its checksum of."""


def checksums_of(data: bytes) -> tuple[str, ...]:
    """CRC-32 of each piece of PIECE_BYTES, as a device gives them."""
    pieces = (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))
    return tuple(f"{zlib.crc32(piece):08x}" for piece in pieces)


def bytes_of(sample: tuple[Array, ...]) -> tuple[bytes, ...]:
    """A sample as it is sent."""
    # The devices are little-endian.
    return tuple(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in sample)


def array_of(data: bytes, tensor: Tensor) -> Array:
    """A tensor's values from the bytes that a device has of it."""
    kind = np.dtype(tensor.dtype)
    return np.frombuffer(data, kind.newbyteorder("<")).astype(kind).reshape(tensor.shape)
