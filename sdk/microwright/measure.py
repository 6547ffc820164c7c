"""The dialogue with a device: send inputs, run, fetch outputs, times and memory use."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from microwright.build import Image
from microwright.errors import DeviceError, InputError, LinkCorrupt, StaleFirmware
from microwright.graph import Array, Tensor
from microwright.latency import Latency, Timer
from microwright.link import TIMEOUT_S, Connect, Link, Record, Refused, answers, clock, ignore
from microwright.progress import Progress, silent
from microwright.runners import Emulation

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
class LayerLatency:
    """Time of one layer, in the unit of the measurement's latency."""

    index: int
    latency: int | float


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a device did with the inputs.

    `outputs` has one tuple a sample, one array a model output; none where `on_outputs` took them. `layers`
    come from a run that timed each layer apart; empty when not asked for. `stack_bytes` is what an inference
    uses, `stack_peak_bytes` the most that anything used since start, `arena_peak_bytes` how far the arena was
    written; None where the device cannot tell. `hello` is what the device says about itself. `complete` is
    false of what was measured before Ctrl-C or an error: the runs so far, and nothing that comes behind them.
    """

    outputs: tuple[tuple[Array, ...], ...]
    latency: Latency
    layers: tuple[LayerLatency, ...]
    stack_bytes: int | None
    stack_peak_bytes: int | None
    arena_peak_bytes: int | None
    hello: Mapping[str, str]
    complete: bool = True


def measure(
    image: Image,
    url: str,
    inputs: Sequence[tuple[Array, ...]],
    *,
    emulation: Emulation | None = None,
    warmup: int = 1,
    runs: int | None = None,
    layers: bool = False,
    compare_clock: bool = True,
    on_outputs: Callable[[int, tuple[Array, ...]], None] | None = None,
    on_partial: Callable[[Measurement], None] | None = None,
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    connect: Connect = Link,
) -> Measurement:
    """Run the model on the device at `url`: `warmup` times, and then `runs` times with the samples in turn.

    By default each sample is run once. The model's state is reset before each run, but for the second and
    later samples of a stream. `layers` adds a run that times each layer apart.

    A sample is one array a model input, in the input's type. `on_outputs` gets the number of each sample and
    its outputs as they come; without it, the measurement keeps all of them. A sample that runs again has to
    give the same. Where Ctrl-C or the device ends it after some runs, `on_partial` gets
    those.

    Times are microseconds of the device's timer, or instructions where `emulation` tells how its timer counts
    them; where time is real, `compare_clock` holds the device's clock against the host's, for some seconds.
    `connect` opens the line: a Link, or one of a Recorder or a Replay. Raises StaleFirmware when the
    device runs other firmware than the image, InputError for arrays that do not fit the model and for runs
    that do not fit the samples, and the link's errors: NoPort, DeviceTimeout, LinkCorrupt, DeviceError.
    """
    graph = image.project.graph
    turns = _turns(len(inputs), runs, graph.streams)
    for sample in inputs:
        _check(sample, [graph.tensors[i] for i in graph.inputs])
    kept: list[tuple[Array, ...]] = []
    with connect(url, image.project.board.serial.baud, on_log) as link:
        device = Device(link, image)
        warm = [device.run(bytes_of(inputs[0]), reset=True) for _ in range(warmup)]
        done: list[_Run] = []

        def time(ticks: int) -> int | float:
            hz = device.timer.hz
            if emulation is None:
                return round(ticks * 1e6 / hz, 3)
            return (2 * ticks * emulation.instructions_per_second + hz) // (2 * hz)

        def so_far() -> Measurement:
            return Measurement(
                outputs=tuple(kept),
                latency=Latency(
                    kind="measured" if emulation is None else "emulated",
                    unit="us" if emulation is None else "instructions",
                    samples=tuple(time(run.ticks) for run in done),
                    inputs=turns[: len(done)],
                    first=time((warm or done)[0].ticks),
                    first_since_boot=device.fresh,
                    timer=device.timer,
                ),
                layers=(),
                stack_bytes=max(run.stack_bytes for run in done) or None,
                stack_peak_bytes=None,
                arena_peak_bytes=None,
                hello=device.hello,
                complete=False,
            )

        try:
            for turn in turns:
                progress("measure", len(done), len(turns))
                run = device.run(bytes_of(inputs[turn]), reset=not graph.streams or not done)
                if len(done) < len(inputs):
                    pairs = zip(run.outputs, graph.outputs, strict=True)
                    outputs = tuple(array_of(data, graph.tensors[i]) for data, i in pairs)
                    if on_outputs is None:
                        kept.append(outputs)
                    else:
                        on_outputs(turn, outputs)
                elif run.crc != done[turn].crc:
                    raise DeviceError(
                        f"the device gives other outputs for sample {turn} than it gave before",
                        "check its power supply, and that nothing else writes to the model's arena",
                    )
                done.append(replace(run, outputs=()))
            progress("measure", len(turns), len(turns))
            layer_ticks = device.layer_ticks(bytes_of(inputs[0])) if layers else ()
            stack_bytes, arena_bytes = device.peaks(bytes_of(inputs[0]))
            ratio = device.clock_ratio() if emulation is None and compare_clock else None
        except (DeviceError, KeyboardInterrupt, SystemExit):
            if done and on_partial is not None:
                on_partial(so_far())
            raise
    runs_alone = so_far()
    return replace(
        runs_alone,
        latency=replace(runs_alone.latency, timer=replace(device.timer, clock_ratio=ratio)),
        layers=tuple(LayerLatency(index, time(ticks)) for index, ticks in enumerate(layer_ticks)),
        stack_peak_bytes=stack_bytes or None,
        arena_peak_bytes=arena_bytes or None,
        complete=True,
    )


@dataclass(frozen=True)
class _Run:
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
            "generate, build and flash the project again",
        )
    build = hello.args.get("build", "")
    if build != build_id:
        raise StaleFirmware(
            f"the device runs build {build[:12] or 'unknown'}, the image is build {build_id[:12]}",
            "flash the image that was built last",
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
    """A device that runs the image; every number that it says is checked before use."""

    def __init__(self, link: Link, image: Image) -> None:
        self._link = link
        self._build_id = image.build_id
        hello = greet(self._link, self._build_id)
        self.hello = hello.args
        graph = image.project.graph
        self._input_bytes = tuple(graph.tensors[i].size_bytes for i in graph.inputs)
        self._output_bytes = tuple(graph.tensors[i].size_bytes for i in graph.outputs)
        for key, sizes in (("inputs", self._input_bytes), ("outputs", self._output_bytes)):
            wanted = ",".join(str(size) for size in sizes)
            if hello.args.get(key) != wanted:
                raise answers.wrong(hello, key, f"{wanted} bytes")
        self._layers = answers.number(hello, "layers", len(graph.nodes), len(graph.nodes))
        self._chunk_bytes = answers.number(hello, "chunk", _SMALLEST_CHUNK_BYTES, _LARGEST_CHUNK_BYTES)
        self.timer = timer_of(hello)
        self._restarted = False
        self._begun = self._ask(lambda: clock.read(link), again=lambda: greet(link, image.build_id))
        # The samples that made the state which the device should be in.
        self._since_reset: list[tuple[bytes, ...]] = []

    def run(self, sample: tuple[bytes, ...], *, reset: bool, layers: bool = False) -> _Run:
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
        return tuple(reply.args.get("crc", "") for reply in replies)

    def fetch(self, offset: int, size: int) -> bytes:
        """The bytes that lie in the arena there."""
        return self._fetch(size, "arena", data=1, origin=offset)

    def _remember(self, sample: tuple[bytes, ...], reset: bool) -> None:
        if reset:
            self._since_reset = []
        self._since_reset.append(sample)

    def _run_last(self, options: Mapping[str, int]) -> _Run:
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

    def _run_once(self, sample: tuple[bytes, ...], step: int, options: Mapping[str, int]) -> _Run:
        crc = 0
        for index, data in enumerate(sample):
            self._write(index, data)
            crc = zlib.crc32(data, crc)
        options = {**options} if step else {**options, "reset": 1}
        reply = self._link.request("run", timeout_s=RUN_TIMEOUT_S, crc=f"{crc:08x}", **options)
        if answers.number(reply, "step", 0, 2**32 - 1) != step + 1:
            raise _StateLost
        if "until" in options:
            return _Run(0, 0, (), 0)
        outputs = tuple(self._read(index, size) for index, size in enumerate(self._output_bytes))
        crc = 0
        for data in outputs:
            crc = zlib.crc32(data, crc)
        if reply.args.get("crc") != f"{crc:08x}":
            raise _OutputDamaged
        return _Run(
            answers.number(reply, "ticks", 0, 2**63),
            answers.number(reply, "stack", 0, 2**32 - 1),
            outputs,
            crc,
        )

    def layer_ticks(self, sample: tuple[bytes, ...]) -> tuple[int, ...]:
        """Timer ticks of each layer in one inference."""
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


def _turns(samples: int, runs: int | None, streams: bool) -> tuple[int, ...]:
    """The sample of each run."""
    if not samples:
        raise InputError("no inputs to measure with", "give at least one sample")
    runs = samples if runs is None else runs
    if runs < samples:
        raise InputError(
            f"{runs} runs are fewer than the {samples} samples",
            "each sample is run once at least: ask for as many runs, or give fewer samples",
        )
    if runs > samples and streams:
        raise InputError(
            f"{runs} runs of {samples} samples: the model's samples are one stream, which cannot begin again",
            "leave the number of runs out, or give as many samples",
        )
    return tuple(run % samples for run in range(runs))


class _StateLost(Exception):
    """The device started again since the inference before."""


class _OutputDamaged(Exception):
    """The outputs are not those that the device computed its checksum of."""


def _check(sample: tuple[Array, ...], tensors: Sequence[Tensor]) -> None:
    if len(sample) != len(tensors):
        raise InputError(
            f"a sample has {len(sample)} arrays, the model has {len(tensors)} inputs",
            "give one array a model input",
        )
    for array, tensor in zip(sample, tensors, strict=True):
        if array.dtype != tensor.dtype or array.size != tensor.elements:
            expected = f"{tensor.dtype} {tensor.shape}"
            raise InputError(
                f"input {tensor.name[:80]!r}: got {array.dtype} {array.shape}, expected {expected}",
                "convert the samples with microwright.data.to_input",
            )


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
