"""The dialogue with a device in MLPerf Tiny's protocol (docs/mlperf.md), checked against damage."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from microwright.build import Image
from microwright.dialogue import greet, timer_of
from microwright.errors import DeviceError, DeviceTimeout, LinkCorrupt
from microwright.latency import Timer
from microwright.link import Connect, Link, Refused, clock, faults, ignore, records

# What the benchmark's runner sends at a time.
_CHUNK_BYTES = 31
_TIMEOUT_S = 5.0
_FIRST_WAIT_S = 0.5
_QUIET_S = 0.02
_TRIES = 3

_READY = b"m-ready"
# A model that has 10,000 results gives them in less.
_RESULTS = re.compile(r"m-results-\[([-+.,0-9a-z]{1,65000})\]")
_TIME = re.compile(r"m-lap-us-([0-9]{1,20})")


@dataclass(frozen=True)
class Inference:
    """What `infer` answered: microseconds of the device's for all inferences, the last one's results, and the
    seconds of the host's from the command to the answer.
    """

    us: int
    results: tuple[float, ...]
    host_s: float


class Session:
    """A device that runs an image with the profile; a context manager.

    `connect` opens the line, `on_log` gets each line that is no answer. Raises NoPort where the port cannot
    be opened, StaleFirmware where the device runs another image, and in all that follows DeviceTimeout,
    DeviceFault, LinkCorrupt, PortLost, and DeviceError for what the device refuses.
    """

    def __init__(
        self,
        image: Image,
        url: str,
        on_log: Callable[[str], None] = ignore,
        *,
        connect: Connect = Link,
    ) -> None:
        self._crc = 0  # of all that was said since the last `check`
        self._level = False  # whether the device counts from the same point
        self._host_s = 0.0  # that the last command but `check` took
        self._baud = image.project.board.serial.baud
        self._where = f"{url} at {self._baud} baud"
        self._link = connect(url, self._baud, on_log)
        try:
            # By records on the same port: the right firmware, or none.
            self._timer = timer_of(greet(self._link, image.build_id))
            self._begun = clock.read(self._link)
        except BaseException:
            self._link.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    @property
    def hz(self) -> int:
        """Frequency of the device's timer."""
        return self._timer.hz

    def name(self) -> tuple[str, str]:
        """Name of the device, and of its model."""
        named, profile = self._checked([("name", _TIMEOUT_S), ("profile", _TIMEOUT_S)])
        return _field(named, r"m-name-dut-\[([^]]{1,80})\]"), _field(profile, r"m-model-\[([^]]{1,80})\]")

    def timer(self) -> Timer:
        """What counts the device's time, and how fast beside the host's clock since the line was opened."""
        self._level = False  # records are no part of what `check` counts
        try:
            return replace(self._timer, clock_ratio=clock.ratio(self._link, self._begun, self._timer.hz))
        except Refused as refused:
            if refused.code != "hello":
                raise
            return self._timer  # it restarted

    def infer(self, data: bytes, count: int, warmups: int, timeout_s: float) -> Inference:
        """Load an input as the runner does, and run inferences on it.

        The device is silent while it runs them, for `timeout_s` at most.
        """
        pieces = [data[at : at + _CHUNK_BYTES] for at in range(0, len(data), _CHUNK_BYTES)]
        load = [f"db load {len(data)}", *(f"db {piece.hex()}" for piece in pieces)]
        commands = [*((command, _TIMEOUT_S) for command in load), (f"infer {count} {warmups}", timeout_s)]
        *_, loaded, answer = self._checked(commands)
        times = [int(match[1]) for line in answer if (match := _TIME.fullmatch(line))]
        found = [match[1] for line in answer if (match := _RESULTS.fullmatch(line))]
        if loaded != ["m-load-done"] or len(times) != 2 or times[1] < times[0] or len(found) != 1:
            raise DeviceError(f"the device answers 'infer' with {' '.join(answer)[:200]!r}", _REBUILD)
        try:
            results = tuple(float(text) for text in found[0].split(","))
        except ValueError:
            raise DeviceError(f"the device gives {found[0][:80]!r} as results", _REBUILD) from None
        return Inference(times[1] - times[0], results, self._host_s)

    def _checked(self, commands: Sequence[tuple[str, float]]) -> list[list[str]]:
        """Answers of commands, each with its deadline, of which `check` says that nothing was damaged.

        All are repeated otherwise: the device may have restarted and know nothing of those before.
        """
        silent: DeviceTimeout | None = None
        for _ in range(_TRIES):
            try:
                if not self._level:
                    self._begin()
                self._level = False
                answers = [self._ask(command, timeout_s) for command, timeout_s in commands]
                crc = self._crc
                self._level = self._ask("check", _TIMEOUT_S) == [f"m-check-[{crc:08x}]"]
                silent = None
            except DeviceTimeout as error:
                silent = error
            if not self._level:
                continue
            for (command, _), answer in zip(commands, answers, strict=True):
                refusal = next((line for line in answer if line.startswith("e-[")), None)
                if refusal is not None:
                    raise DeviceError(f"the device refuses {command[:40]!r}: {refusal[3:-1][:100]}", _REBUILD)
            return answers
        if silent is not None:
            raise silent
        raise LinkCorrupt(
            f"the link to {self._where} damages data: {_TRIES} tries in a row failed by it",
            "check the cable, the board's baud rate and clock, and that nothing else writes to the port",
        )

    def _begin(self) -> None:
        """Bring both sides to the same point: behind a `check`, with nothing under way."""
        deadline_s = self._link.now_s() + _TIMEOUT_S
        wait_s = _FIRST_WAIT_S
        while self._link.now_s() < deadline_s:
            # What stands first ends half a command that the device may have.
            self._link.send(b"%check%")
            until_s = min(deadline_s, self._link.now_s() + wait_s)
            checked = False
            while (line := self._next(until_s)) is not None:
                if checked and line == _READY:
                    # An answer to an earlier `check` that was late would be taken for the next one's.
                    quiet_s = self._link.now_s() + _QUIET_S
                    while self._next(quiet_s) is not None:
                        pass
                    self._crc = 0
                    self._level = True
                    return
                checked = re.fullmatch(rb"m-check-\[[0-9a-f]{8}\]", line) is not None
            wait_s *= 2
        raise self._silent("check", _TIMEOUT_S)

    def _ask(self, command: str, timeout_s: float) -> list[str]:
        """The lines of an answer before its `m-ready`."""
        text = command.encode("ascii")
        if command != "check":
            self._crc = zlib.crc32(text, self._crc)
        begun_s = self._link.now_s()
        self._link.send(text + b"%")
        deadline_s = self._link.now_s() + timeout_s + 2 * len(text) * 10 / self._baud
        answer: list[str] = []
        while (line := self._next(deadline_s)) is not None:
            if not line.startswith((b"m-", b"e-")):
                self._link.log(line)
                continue
            self._crc = zlib.crc32(line + b"\r\n", self._crc)
            if line == _READY:
                if command == "check":
                    self._crc = 0
                else:
                    self._host_s = self._link.now_s() - begun_s
                return answer
            answer.append(line.decode("latin-1"))
        raise self._silent(command, timeout_s)

    def _next(self, until_s: float) -> bytes | None:
        """The next line without its end; None at the deadline, also where a device talks on and on."""
        line = None if self._link.now_s() >= until_s else self._link.line(until_s)
        if line is None:
            return None
        if (fault := faults.of(records.parse(line))) is not None:
            raise fault
        return line.removesuffix(b"\r")

    def _silent(self, command: str, timeout_s: float) -> DeviceTimeout:
        return DeviceTimeout(
            f"no answer to {command[:40]!r} from {self._where} in {timeout_s:g} s",
            "check that firmware made with --profile mlperf-tiny runs there, and that this is its port",
        )


_REBUILD = "build and flash the project's firmware again"


def _field(answer: Sequence[str], pattern: str) -> str:
    for line in answer:
        if match := re.fullmatch(pattern, line):
            return match[1]
    raise DeviceError(f"the device says {' '.join(answer)[:200]!r} of itself", _REBUILD)
