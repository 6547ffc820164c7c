"""Sessions kept in a file, and played again without a device. `docs/protocol.md` has the format.

The time of a recorded session moves with what is written down alone, and so does that of its replay: a link
that is asked the same does the same, to its repeats and deadlines.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from microwright import _output, errors
from microwright.errors import DeviceError, InputError, OutputError
from microwright.link import records
from microwright.link.port import Port, SerialPort
from microwright.link.session import Link

_TITLE = "# microwright recording 1"

_STEP_S = 1e-6

# Time that passes while nothing happens on the line is written down from this much on.
_PAUSE_S = 0.001

# A request follows soon after its port was opened; between them, time may pass.
_SEARCHED_EVENTS = 8

_MAX_LINE_BYTES = 1 << 20
_EVENT = re.compile(r"([0-9]{1,9}\.[0-9]{6}) (open|>|<|silence|pause|error|close)(?: (.*))?")
_ESCAPE = re.compile(rb"\\(?:n|r|\\|x([0-9a-f]{2}))|[\\\x00-\x1f\x7f-\xff]")
_SPECIAL = {b"\n": b"\\n", b"\r": b"\\r", b"\\": b"\\\\"}
_MEANT = {special[1:2]: byte for byte, special in _SPECIAL.items()}

_ERRORS = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DeviceError)
}


@dataclass(frozen=True)
class Event:
    """One line of a recording: seconds since the start, what happened, with which text."""

    line: int
    time_s: float
    kind: str
    text: str


class Recorder:
    """Keeps what ports read and write in a file, as it happens; a context manager.

    What went over the line before a crash or Ctrl-C is in the file. Raises OutputError where it cannot be
    written.
    """

    def __init__(
        self,
        path: Path,
        *,
        open_port: Callable[[str, int], Port] = SerialPort,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._open_port = open_port
        self._real_clock = clock
        self._sleep = sleep
        self._start_s = clock()
        self._now_s = 0.0
        self._looked = 0  # at the clock since the last event
        _output.check(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from None
        try:
            self._write(_TITLE)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def connect(self, url: str, baud: int, on_log: Callable[[str], None]) -> Link:
        """A Link whose session is kept."""
        return Link(url, baud, on_log, open_port=self.open_port, clock=self.clock, sleep=self._sleep)

    def open_port(self, url: str, baud: int) -> Port:
        """A port whose session is kept; for a Link together with `clock`."""
        self.note("open", f"{_escaped(os.fsencode(url))} {baud}")
        try:
            return _RecordedPort(self._open_port(url, baud), self)
        except DeviceError as error:
            self.note_error(error)
            raise

    def clock(self) -> float:
        """Seconds since the start, as the file has them."""
        if self._passed_s() - self._now_s >= _PAUSE_S:
            self.note("pause", str(self._looked))
        self._looked += 1
        return self._now_s

    def note(self, kind: str, text: str = "") -> None:
        """Write an event down."""
        # Waiting takes time, however short: whoever waits for a moment between two stamps gets there.
        least_s = self._now_s + _STEP_S if kind == "silence" else self._now_s
        stamp = f"{max(self._passed_s(), least_s):.6f}"
        self._now_s = float(stamp)
        self._looked = 0
        self._write(f"{stamp} {kind} {text}" if text else f"{stamp} {kind}")

    def note_error(self, error: DeviceError) -> None:
        """Write down that the port failed."""
        kind = next(known.__name__ for known in type(error).__mro__ if known.__name__ in _ERRORS)
        self.note("error", json.dumps([kind, error.message, error.hint]))

    def _passed_s(self) -> float:
        return self._real_clock() - self._start_s

    def _write(self, line: str) -> None:
        left = line.encode("ascii") + b"\n"
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: Exception) -> OutputError:
        return OutputError(
            f"recording {self._path} cannot be written: {_reason(error)}",
            "check the space and the permissions there",
        )


class _RecordedPort:
    """A port that writes down what it does."""

    def __init__(self, port: Port, recorder: Recorder) -> None:
        self._port = port
        self._recorder = recorder
        self._closed = False

    def read(self, timeout_s: float) -> bytes:
        """See Port."""
        try:
            data = self._port.read(timeout_s)
        except DeviceError as error:
            self._recorder.note_error(error)
            raise
        if data:
            self._recorder.note("<", _escaped(data))
        else:
            self._recorder.note("silence")
        return data

    def write(self, data: bytes) -> None:
        """See Port."""
        try:
            self._port.write(data)
        except DeviceError as error:
            self._recorder.note(">", _escaped(data))
            self._recorder.note_error(error)
            raise
        self._recorder.note(">", _escaped(data))

    def close(self) -> None:
        """See Port."""
        self._port.close()
        if not self._closed:
            self._closed = True
            self._recorder.note("close")


class Replay:
    """Plays a recording: `connect` gives a Link to what the device said then, in the time of then.

    `url` is the port of the recorded session. Raises InputError for what is no recording, and where a session
    asks other than the recorded one: of other options, other inputs, or to a device that said no more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: IO[bytes] = path.open("rb")
        except (OSError, ValueError) as error:
            raise InputError(f"recording {path} cannot be read: {_reason(error)}", "check the path") from None
        self._line = 0
        self._ahead: deque[Event] = deque()
        self._now_s = 0.0
        self._looked = 0  # at the clock since the last event
        try:
            if self._next_line() != _TITLE:
                raise self._error(1, f"{_TITLE!r} is not its first line", "give a file that --record wrote")
            self.url = self._opened(self._peek())[0]
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def connect(self, url: str, baud: int, on_log: Callable[[str], None]) -> Link:
        """A Link to the recorded device."""
        return Link(
            url,
            baud,
            on_log,
            open_port=self.open_port,
            clock=self.clock,
            sleep=lambda duration_s: None,
            first_seq=self._first_seq(),
        )

    def open_port(self, url: str, baud: int) -> Port:
        """The recorded port; for a Link together with `clock`."""
        event = self._peek()
        if self._opened(event) != (url, baud):
            raise self._departs(event, f"port {url} is opened at {baud} baud")
        self._take()
        self._fail_as_recorded()
        return _ReplayedPort(self)

    def clock(self) -> float:
        """Seconds since the start of the recorded session."""
        event = self._peek()
        if event is not None and event.kind == "pause" and event.text == str(self._looked):
            self._take()
        self._looked += 1
        return self._now_s

    def read(self) -> bytes:
        """What the recorded port read next."""
        self._fail_as_recorded()
        event = self._peek()
        if event is None or event.kind not in ("<", "silence"):
            raise self._departs(event, "an answer is waited for")
        self._take()
        return self._bytes(event) if event.kind == "<" else b""

    def write(self, data: bytes) -> None:
        """Check that the recorded session wrote the same."""
        event = self._peek()
        if event is None or event.kind != ">" or not _same(self._bytes(event), data):
            raise self._departs(event, f"the session sends {_shown(data)}")
        self._take()
        self._fail_as_recorded()

    def close(self) -> None:
        """End of the session, or of a port that is opened again."""
        with contextlib.suppress(InputError):  # whatever comes now, it is not asked for
            if self._kind() == "close":
                self._take()

    def _fail_as_recorded(self) -> None:
        event = self._peek()
        if event is None or event.kind != "error":
            return
        try:
            kind, message, hint = json.loads(event.text)
            error = _ERRORS[kind](str(message)[:1000], str(hint)[:1000])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._error(event.line, "is no error of a port", "record the session again") from None
        self._take()
        raise error

    def _first_seq(self) -> int:
        """Number of the next request that was recorded; 1 where none follows."""
        for position in range(_SEARCHED_EVENTS):
            event = self._peek(position)
            if event is not None and event.kind == ">":
                number = re.match(rb"@([1-9][0-9]{0,4}) ", self._bytes(event))
                return min(int(number[1]), records.MAX_SEQ) if number else 1
        return 1

    def _opened(self, event: Event | None) -> tuple[str, int]:
        """URL and baud rate of an event that has to open a port."""
        match = re.fullmatch(r"(.*) ([0-9]{1,9})", event.text) if event and event.kind == "open" else None
        if event is None or match is None:
            raise self._departs(event, "a port is opened")
        return os.fsdecode(self._unescaped(match[1], event.line)), int(match[2])

    def _bytes(self, event: Event) -> bytes:
        return self._unescaped(event.text, event.line)

    def _unescaped(self, text: str, line: int) -> bytes:
        def byte(match: re.Match[bytes]) -> bytes:
            if match[1]:
                return bytes.fromhex(match[1].decode())
            if len(match[0]) == 2:
                return _MEANT[match[0][1:]]
            raise self._error(line, f"{_shown(match[0])} is no escape sequence", "record the session again")

        return _ESCAPE.sub(byte, text.encode("ascii"))

    def _kind(self) -> str | None:
        event = self._peek()
        return event.kind if event else None

    def _peek(self, position: int = 0) -> Event | None:
        """The next event, or one behind it; None at the end of the file."""
        while len(self._ahead) <= position:
            line = self._next_line()
            if line is None:
                return None
            match = _EVENT.fullmatch(line)
            if match is None:
                raise self._error(self._line, f"{line[:60]!r} is no event", "record the session again")
            self._ahead.append(Event(self._line, float(match[1]), match[2], match[3] or ""))
        return self._ahead[position]

    def _take(self) -> Event | None:
        event = self._peek()
        if event is not None:
            self._ahead.popleft()
            self._looked = 0
            self._now_s = max(self._now_s, event.time_s)
        return event

    def _next_line(self) -> str | None:
        try:
            line = self._file.readline(_MAX_LINE_BYTES)
        except OSError as error:
            raise InputError(
                f"recording {self._path} cannot be read: {_reason(error)}", "check the file"
            ) from None
        if not line:
            return None
        self._line += 1
        if not line.endswith(b"\n"):
            raise self._error(self._line, "ends in the middle of a line", "record the session again")
        try:
            return line[:-1].decode("ascii")
        except UnicodeDecodeError:
            raise self._error(self._line, "is not ASCII", "record the session again") from None

    def _departs(self, event: Event | None, wanted: str) -> InputError:
        if event is None:
            was = "the recording ends"
        else:
            text = event.text if len(event.text) <= 80 else f"{event.text[:80]}..."
            was = f"the recording has {f'{event.kind} {text}'.rstrip()!r}"
        return self._error(
            event.line if event else self._line + 1,
            f"{was} where {wanted}",
            "replay with the project, the data and the options of the recorded command",
        )

    def _error(self, line: int, what: str, hint: str) -> InputError:
        return InputError(f"{self._path}, line {line}: {what}", hint)


class _ReplayedPort:
    """A port that plays a recording."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._closed = False

    def read(self, timeout_s: float) -> bytes:
        """See Port."""
        return self._replay.read()

    def write(self, data: bytes) -> None:
        """See Port."""
        self._replay.write(data)

    def close(self) -> None:
        """See Port."""
        if not self._closed:
            self._closed = True
            self._replay.close()


def _escaped(data: bytes) -> str:
    """Bytes as a text of printable ASCII that does not end in a space."""

    def escape(match: re.Match[bytes]) -> bytes:
        return _SPECIAL.get(match[0]) or b"\\x%02x" % match[0][0]

    return re.sub(rb"[\\\x00-\x1f\x7f-\xff]| \Z", escape, data).decode("ascii")


def _same(one: bytes, other: bytes) -> bool:
    """Whether two requests are the same: the order of a record's arguments is free."""
    if one == other:
        return True
    record = records.parse(one.rstrip(b"\n"))
    return record is not None and record == records.parse(other.rstrip(b"\n"))


def _shown(data: bytes) -> str:
    text = _escaped(data)
    return f"'{text if len(text) <= 80 else f'{text[:80]}...'}'"


def _reason(error: Exception) -> str:
    # A path that no file can have, as one with a NUL, is a ValueError.
    return getattr(error, "strerror", None) or str(error)
