"""Sessions are kept as they happen and play again: the same results, or an error where they part."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microwright.errors import (
    DeviceError,
    DeviceTimeout,
    InputError,
    MicrowrightError,
    NoPort,
    OutputError,
    PortLost,
    StaleFirmware,
)
from microwright.link import Link, Port, Recorder, Replay, records
from microwright.measure import Measurement
from tests.support import recordings
from tests.support.fake_device import Clock, FakePort
from tests.support.recordings import URL, device, measured, model, record, samples

FILES = sorted(recordings.FOLDER.glob("*.txt"))
LATENCIES = {"damaged_reply": (1001, 1002, 1003), "reset_in_mid_run": (1001, 1002, 1003)}


def replayed(path: Path) -> Measurement:
    with Replay(path) as replay:
        assert replay.url == URL
        return measured(replay.connect)


def facts(measurement: Measurement) -> tuple[object, ...]:
    outputs = [array.tobytes() for sample in measurement.outputs for array in sample]
    return (outputs, measurement.latency, measurement.layers, measurement.stack_bytes, measurement.hello)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A session without faults."""
    record(tmp_path / "session.txt", device().receive)
    return tmp_path / "session.txt"


def test_there_is_a_recording_of_each_case() -> None:
    assert {path.stem for path in FILES} == set(recordings.CASES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_once_went_wrong_goes_right(path: Path) -> None:
    measurement = replayed(path)
    assert [outputs[0].tobytes() for outputs in measurement.outputs] == [
        model([inputs[0].tobytes()])[0] for inputs in samples()
    ]
    assert measurement.latency.samples == LATENCIES[path.stem]


@pytest.mark.parametrize("case", recordings.CASES)
def test_a_replay_gives_what_the_device_gave(case: str, tmp_path: Path) -> None:
    first = record(tmp_path / "session.txt", recordings.CASES[case]())
    assert facts(replayed(tmp_path / "session.txt")) == facts(first)


def test_a_recording_reads_as_documented(recorded: Path) -> None:
    lines = recorded.read_text().splitlines()
    assert lines[:2] == ["# microwright recording 1", "0.000000 open /dev/ttyACM0 115200"]
    assert re.fullmatch(r"0\.00\d{4} > @\d+ hello #[0-9a-f]{8}\\n", lines[2])
    assert lines[3].startswith("0.0") and " < @" in lines[3] and " ok proto=1 " in lines[3]
    assert lines[-1].endswith(" close")


class ScriptedPort:
    """A port that gives pieces in turn: bytes, or an error."""

    def __init__(self, *pieces: bytes | DeviceError, clock: Clock | None = None) -> None:
        self._pieces = iter(pieces)
        self._clock = clock or Clock()

    def read(self, timeout_s: float) -> bytes:
        piece = next(self._pieces, b"")
        if isinstance(piece, DeviceError):
            raise piece
        self._clock.now_s += timeout_s if not piece else 0.001
        return piece

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def through(path: Path, opener: Callable[[str, int], Port], clock: Clock) -> list[object]:
    """What a request over a port ends in, and the log lines."""
    log: list[str] = []
    said: list[object] = [log]
    with Recorder(path, open_port=opener, clock=clock) as recorder:
        said.append(outcome(lambda: recorder.connect("port with space", 9600, log.append)))
    return said


def outcome(connect: Callable[[], Link]) -> object:
    try:
        with connect() as link:
            return link.request("hello")
    except MicrowrightError as error:
        return (type(error), error.message, error.hint)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"\x00\xff\\n\\x41 \n", b"tail ", b" \r\nmore\n"),
        (b"said", DeviceError("lost port x: gone", "plug it in")),
        (DeviceTimeout("port x took no data\nfor 10 s", "\u00fcber"),),
    ],
)
def test_any_bytes_and_errors_of_a_port_come_back(
    tmp_path: Path, pieces: tuple[bytes | DeviceError, ...]
) -> None:
    path, clock = tmp_path / "session.txt", Clock()
    first = through(path, lambda url, baud: ScriptedPort(*pieces, clock=clock), clock)
    log: list[str] = []
    with Replay(path) as replay:
        again = outcome(lambda: replay.connect(replay.url, 9600, log.append))
    assert [log, again] == first and isinstance(again, tuple)
    assert path.read_bytes().isascii()


def test_a_port_that_could_not_be_opened_is_recorded_too(tmp_path: Path) -> None:
    def refuse(url: str, baud: int) -> Port:
        raise NoPort(f"cannot open port {url}: busy", "close the other program")

    path = tmp_path / "session.txt"
    _, first = through(path, refuse, Clock())
    with Replay(path) as replay:
        assert outcome(lambda: replay.connect(replay.url, 9600, print)) == first


def test_a_port_that_went_away_and_came_back_is_replayed(tmp_path: Path) -> None:
    path, clock, fake = tmp_path / "session.txt", Clock(), device()
    ports: list[Port | NoPort] = [
        ScriptedPort(b"booting\n", PortLost("lost port x: gone", "plug it in"), clock=clock),
        NoPort("cannot open port x", "plug it in"),
        FakePort(fake.receive, clock),
    ]

    def opener(url: str, baud: int) -> Port:
        port = ports.pop(0)
        if isinstance(port, NoPort):
            raise port
        return port

    recorder = Recorder(path, open_port=opener, clock=clock, sleep=clock.sleep)
    with recorder, recorder.connect(URL, 115_200, print) as link:
        said = link.request("hello")
    assert not ports
    with Replay(path) as replay, replay.connect(URL, 115_200, print) as link:
        assert link.request("hello") == said


def test_time_between_requests_does_not_count_against_the_next(tmp_path: Path) -> None:
    path, clock, fake = tmp_path / "session.txt", Clock(), device()
    recorder = Recorder(path, open_port=FakePort(fake.receive, clock).open, clock=clock)
    with recorder, recorder.connect(URL, 115_200, print) as link:
        link.request("hello")
        clock.now_s += 60
        link.request("memory")
    with Replay(path) as replay, replay.connect(URL, 115_200, print) as link:
        link.request("hello")
        assert link.request("memory").args["stack_peak"] == "1024"
        assert 60 < replay.clock() < 60.1


def test_what_happened_is_in_the_file_at_once(tmp_path: Path) -> None:
    path, clock = tmp_path / "session.txt", Clock()
    recorder = Recorder(path, open_port=FakePort(device().receive, clock).open, clock=clock)
    link = recorder.connect(URL, 115_200, print)
    link.request("hello")
    assert " ok proto=1 " in path.read_text()
    link.close()
    recorder.__exit__(None, None, None)


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 10, 30])
def test_a_recording_that_ends_early_says_so(recorded: Path, kept: int) -> None:
    lines = recorded.read_bytes().splitlines(keepends=True)
    recorded.write_bytes(b"".join(lines[:kept]))
    expected = "is not its first line" if kept == 0 else f"line {kept + 1}: the recording ends where "
    with pytest.raises(InputError, match=expected):
        replayed(recorded)


def test_a_recording_of_other_inputs_says_where_it_departs(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_then = samples()
    monkeypatch.setattr(recordings, "samples", lambda: [given_then[1], *given_then[1:]])
    said = r"line 7: the recording has '> @\d+ write .* where the session sends"
    with pytest.raises(InputError, match=said):
        replayed(recorded)


def test_a_recording_of_another_build_is_stale_firmware(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = recordings.image()
    image.build_id = "f" * 40
    monkeypatch.setattr(recordings, "image", lambda: image)
    with pytest.raises(StaleFirmware, match="the device runs build 0123456789ab, the image is build ffffff"):
        replayed(recorded)


def test_the_order_of_a_requests_arguments_is_free(recorded: Path) -> None:
    def reordered(match: re.Match[bytes]) -> bytes:
        sent = records.parse(match[0])
        assert sent is not None
        return records.encode(sent.seq, sent.verb, dict(reversed(sent.args.items()))).rstrip(b"\n")

    before = recorded.read_bytes()
    recorded.write_bytes(re.sub(rb"(?<=> )@\d+ write [^\\]*", reordered, before))
    assert recorded.read_bytes() != before
    assert len(replayed(recorded).outputs) == 3


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"recording 1", b"recording 2", "line 1: '# microwright recording 1' is not its first line"),
        (b" open ", b" opened ", "line 2: .* is no event"),
        (b" 115200", b" 9600", "line 2: .* where port /dev/ttyACM0 is opened at 115200 baud"),
        (b" #", b"\\q", "is no escape sequence"),
        (b"ok proto", b"\xffk proto", "is not ASCII"),
        (b" < @", b" error [1] @", "is no error of a port"),
        (b" < @", b' error ["SystemExit", "", ""]\n0.0 < @', "is no error of a port"),
    ],
)
def test_a_file_that_is_no_recording_is_an_error(recorded: Path, old: bytes, new: bytes, said: str) -> None:
    recorded.write_bytes(recorded.read_bytes().replace(old, new, 1))
    with pytest.raises(InputError, match=said) as caught:
        replayed(recorded)
    assert "\n" not in caught.value.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damaged_recordings_end_in_the_same_or_in_one_error(recorded: Path, data: st.DataObject) -> None:
    whole = recorded.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    other = recorded.with_name("other.txt")
    other.write_bytes(whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:])
    try:
        with Replay(other) as replay:  # of another port, where the damage is in its name
            measured(replay.connect)
    except MicrowrightError as error:
        assert len(error.message) < 1200


def test_a_recording_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is no folder"):
        Recorder(tmp_path / "file" / "session.txt")
    with pytest.raises(OutputError, match="is a folder"):
        Recorder(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        Replay(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read"):
        Replay(tmp_path)
    with pytest.raises(OutputError, match="null byte"):
        Recorder(tmp_path / "a\0b")
    with pytest.raises(InputError, match="null byte"):
        Replay(tmp_path / "a\0b")


def test_a_port_of_any_name_is_recorded(tmp_path: Path) -> None:
    clock, url = Clock(), os.fsdecode(b"/dev/tty\xff")
    port = FakePort(device().receive, clock)
    with Recorder(tmp_path / "session.txt", open_port=port.open, clock=clock) as recorder:
        recorder.open_port(url, 115_200).close()
    assert b" open /dev/tty\\xff 115200\n" in (tmp_path / "session.txt").read_bytes()
    with Replay(tmp_path / "session.txt") as replay:
        assert replay.url == url


def test_a_full_disk_is_an_error_of_the_output() -> None:
    ticks = itertools.count()
    with pytest.raises(OutputError, match="No space left"), Recorder(Path("/dev/full")) as recorder:
        for _ in ticks:
            recorder.note("silence")
