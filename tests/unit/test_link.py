"""The link: what arrives is what was sent, or an error says so, whatever the line does."""

from __future__ import annotations

import base64
import random
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microwright.errors import DeviceError, DeviceFault, DeviceTimeout, LinkCorrupt, NoPort, PortLost
from microwright.link import Link, Record, Refused, ignore, records
from microwright.link.port import POLL_S, SerialPort
from tests.support.fake_device import Clock, FakeDevice, FakePort, record
from tests.support.faults import Faults

KEYS = st.from_regex(r"[a-z_0-9]+", fullmatch=True)
VALUES = st.text(st.sampled_from([chr(c) for c in range(33, 127) if chr(c) not in "#@"]))


def summing(inputs: Any) -> list[bytes]:
    return [bytes([sum(inputs[0]) % 256, len(inputs[0]) % 256])]


def linked(
    receive: Callable[[bytes], bytes],
    faults: Faults | None = None,
    on_log: Callable[[str], None] = lambda line: None,
) -> tuple[Link, FakePort, Clock]:
    clock = Clock()
    port = FakePort(receive, clock, faults)
    return Link("fake", 115_200, on_log, open_port=port.open, clock=clock, sleep=clock.sleep), port, clock


def seq_of(line: bytes) -> int:
    return int(line[1 : line.index(b" ")])


# Records


@given(
    st.integers(0, records.MAX_SEQ), st.from_regex(r"[a-z]+", fullmatch=True), st.dictionaries(KEYS, VALUES)
)
def test_a_record_reads_back_as_written(seq: int, verb: str, args: dict[str, str]) -> None:
    line = records.encode(seq, verb, args)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert records.parse(line[:-1]) == Record(seq, verb, args)


def test_a_record_looks_as_documented() -> None:
    line = b"@17 write input=0 offset=384 data=AAEC #15c04fd9\n"
    assert records.encode(17, "write", {"input": 0, "offset": 384, "data": "AAEC"}) == line
    assert record(17, "write", input=0, offset=384, data="AAEC") == line


def test_the_records_in_the_documentation_are_right() -> None:
    page = Path(__file__).parents[2] / "docs" / "protocol.md"
    lines = re.findall(rb"^@.* #[0-9a-f]{8}$", page.read_bytes(), re.MULTILINE)
    assert len(lines) >= 2 and all(records.parse(line) for line in lines), lines


@given(st.binary(max_size=80), st.data())
def test_no_changed_record_is_accepted(noise: bytes, data: st.DataObject) -> None:
    line = records.encode(17, "ok", {"ticks": 123456, "crc": "89abcdef"})[:-1]
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    changed = line[:start] + noise + line[end:]
    parsed = records.parse(changed)
    assert parsed is None or changed.endswith(line)


@given(st.binary())
def test_any_bytes_are_parsed_without_a_crash(line: bytes) -> None:
    assert records.parse(line) is None
    records.looks_damaged(line)


@pytest.mark.parametrize(
    ("seq", "verb", "args"),
    [
        (65536, "run", {}),
        (1, "Run", {}),
        (1, "run", {"a": "b c"}),
        (1, "run", {"a": "#"}),
        (1, "run", {"a": "\n"}),
    ],
)
def test_what_a_record_cannot_carry_is_not_sent(seq: int, verb: str, args: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not a record"):
        records.encode(seq, verb, args)


@pytest.mark.parametrize("text", ["@70000 ok ", "@1 ok a=1 a=2 ", "@01 ok ", "@1 ok\tb=1 ", "@1  ok "])
def test_a_right_checksum_alone_makes_no_record(text: str) -> None:
    assert records.parse(f"{text}#{zlib.crc32(text.encode()):08x}".encode()) is None


# Requests


def test_a_request_gets_its_reply() -> None:
    link, port, _ = linked(FakeDevice(summing, [4], [2]).receive)
    with link:
        reply = link.request("hello")
    assert reply.verb == "ok" and reply.args["inputs"] == "4"
    assert port.closed and len(port.sent) == 1


def test_log_lines_reach_the_caller_and_records_do_not() -> None:
    log: list[str] = []
    device = FakeDevice(summing, [4], [2])

    def receive(data: bytes) -> bytes:
        return b"temperature 20 C\r\n\x1b[31mred\n" + b"half a line" + device.receive(data) + b"\xff\n"

    link, _, _ = linked(receive, on_log=log.append)
    with link:
        link.request("hello")
        link.request("memory")
    assert log == ["temperature 20 C", "\ufffd[31mred", "half a line", "\ufffd"] * 2
    assert link.damaged_lines == 0


def test_the_port_is_given_back_whatever_becomes_of_the_log() -> None:
    def refuse(line: str) -> None:
        raise OSError("the log is full")

    link, port, _ = linked(lambda data: b"", on_log=refuse)
    port.say(b"half a line")
    link.line(link.now_s() + 1)
    with pytest.raises(OSError, match="full"):
        link.close()
    assert port.closed


def test_a_silent_device_is_a_timeout_that_says_what_was_tried() -> None:
    link, port, clock = linked(lambda data: b"")
    with pytest.raises(DeviceTimeout) as caught:
        link.request("hello")
    assert 9.9 < clock.now_s < 10.2
    assert len(port.sent) == 5 and len(set(port.sent)) == 1, "repeats carry the same number"
    assert "no answer to 'hello' from fake at 115200 baud in 10 s and 5 tries" in caught.value.message
    assert "\n" not in caught.value.message + caught.value.hint


def test_other_firmware_is_a_timeout_that_says_that_text_came() -> None:
    link, _, _ = linked(lambda data: b"command not found\n")
    with pytest.raises(DeviceTimeout, match="5 lines of other text came"):
        link.request("hello")


def test_endless_text_does_not_put_off_the_deadline() -> None:
    link, port, clock = linked(lambda data: b"")
    port.read = lambda timeout_s: setattr(clock, "now_s", clock.now_s + 0.01) or b"x" * 5000  # type: ignore[method-assign]
    with pytest.raises(DeviceTimeout):
        link.request("hello")
    assert clock.now_s < 11


def test_a_damaged_reply_is_asked_for_again_at_once() -> None:
    device = FakeDevice(summing, [4], [2])
    replies = iter([lambda line: line.replace(b"arena", b"arenb"), lambda line: line])
    link, port, clock = linked(lambda data: next(replies)(device.receive(data)))
    assert link.request("hello").args["arena"] == "4096"
    assert len(port.sent) == 2 and clock.now_s < 0.2 and link.damaged_lines == 1


def test_a_request_that_arrives_damaged_is_repeated_at_once() -> None:
    device = FakeDevice(summing, [4], [2])
    lines = iter([lambda line: line.replace(b"hello", b"hullo"), lambda line: line])
    link, port, clock = linked(lambda data: device.receive(next(lines)(data)))
    assert link.request("hello").verb == "ok"
    assert len(port.sent) == 2 and clock.now_s < 0.2


def test_late_replies_to_earlier_requests_are_ignored() -> None:
    device = FakeDevice(summing, [4], [2])
    late: list[bytes] = []

    def receive(data: bytes) -> bytes:
        reply = device.receive(data)
        late.append(reply)
        return b"".join(late[-3:-1]) * 2 + reply

    link, _, _ = linked(receive)
    assert "arena" in link.request("hello").args
    assert "stack_peak" in link.request("memory").args
    assert "arena" in link.request("hello").args


def test_its_own_echo_is_no_reply() -> None:
    device = FakeDevice(summing, [4], [2])
    link, _, _ = linked(lambda data: data + device.receive(data))
    assert "arena" in link.request("hello").args


def test_a_line_that_damages_everything_is_an_error_of_the_link() -> None:
    link, _, clock = linked(lambda data: b"@1 ok #00000000\n")
    with pytest.raises(LinkCorrupt, match="16 of 16 tries of 'hello'"):
        link.request("hello")
    assert clock.now_s < 2


def test_the_devices_error_is_raised_with_its_code() -> None:
    link, _, _ = linked(FakeDevice(summing, [4], [2]).receive)
    with pytest.raises(Refused, match="refuses 'memory': hello"):
        link.request("memory")
    link.request("hello")
    with pytest.raises(Refused, match="refuses 'dance': verb") as caught:
        link.request("dance")
    assert caught.value.code == "verb" and isinstance(caught.value, DeviceError)


def test_a_repeated_run_is_not_executed_again() -> None:
    device = FakeDevice(summing, [1], [2])
    lost = iter([True, False])

    def receive(data: bytes) -> bytes:
        reply = device.receive(data)
        return b"" if b" run " in data and next(lost) else reply

    link, _, _ = linked(receive)
    link.request("hello")
    link.request("write", input=0, offset=0, data="AA==")
    assert link.request("run", crc="d202ef8d").args["ticks"] == "1000"
    assert len(device.executed) == 1


def test_numbers_wrap_within_the_range_of_the_protocol() -> None:
    link, port, _ = linked(FakeDevice(summing, [1], [2]).receive)
    link._seq = records.MAX_SEQ - 1
    for _ in range(3):
        link.request("hello")
    assert [seq_of(line) for line in port.sent] == [65535, 1, 2]


# Faults of the core

REGISTERS = {"pc": 0xEF4, "lr": 0xFA3, "sp": 0x20003F90, "cfsr": 0x8200, "bfar": 0xF8000000}


def faulted(**said: int | str) -> DeviceFault:
    """What a request ends in where the device answers with a fault."""
    link, _, clock = linked(lambda line: record(0, "fault", **said))
    with pytest.raises(DeviceFault) as raised:
        link.request("hello")
    assert clock.now_s < 1
    return raised.value


def test_a_fault_is_the_end_of_a_request() -> None:
    registers = {name: f"{value:08x}" for name, value in REGISTERS.items()}
    fault = faulted(exception=5, build="0123abcd", **registers)
    assert fault.build_id == "0123abcd"
    assert fault.registers == REGISTERS
    assert fault.exception == 5
    assert fault.message == "the device met a fault: BusFault, precise bus fault (PRECISERR) at 0xf8000000"
    assert "pc=00000ef4 lr=00000fa3 sp=20003f90" in fault.hint


@pytest.mark.parametrize(
    ("exception", "said", "what"),
    [
        (3, {}, "HardFault, stack overflow: no room for the registers"),
        (3, {"pc": "00000000"}, "HardFault"),
        (6, {"cfsr": "00100000", "pc": "00000000"}, "UsageFault, stack overflow (STKOF)"),
        (5, {"cfsr": "00001000"}, "BusFault, stack overflow (STKERR)"),
        (
            3,
            {"cfsr": "02000000", "hfsr": "40000000", "pc": "00000000"},
            "HardFault, division by zero (DIVBYZERO)",
        ),
        (3, {"hfsr": "80000000", "pc": "0"}, "breakpoint without a debugger (DEBUGEVT)"),
        (16, {"pc": "00000000"}, "interrupt 0, which nothing handles"),
        (55, {"pc": "00000000"}, "interrupt 39, which nothing handles"),
        (9, {"pc": "00000000"}, "exception 9"),
        ("", {"pc": "00000000"}, "an unknown exception"),
    ],
)
def test_a_fault_is_put_in_words(exception: int | str, said: dict[str, int | str], what: str) -> None:
    assert what in faulted(exception=exception, **said).message


@given(st.dictionaries(st.sampled_from(["exception", "pc", "cfsr", "lr", "build", "x"]), VALUES))
def test_a_fault_that_says_rubbish_is_one_all_the_same(args: dict[str, str]) -> None:
    fault = faulted(**args)
    assert fault.registers.keys() <= args.keys()
    assert all(0 <= value < 2**32 for value in fault.registers.values())
    assert len(fault.message) < 300 and len(fault.hint) < 300


def test_a_damaged_fault_is_asked_for_again() -> None:
    answers = [record(0, "fault", exception=5).replace(b"=5", b"=6"), record(0, "fault", exception=5)]
    link, port, _ = linked(lambda line: answers.pop(0))
    with pytest.raises(DeviceFault, match="BusFault"):
        link.request("hello")
    assert len(port.sent) == 2 and link.damaged_lines == 1


# A port that goes away


class Plug:
    """A device's plug: pulled, the port is lost, and opens again where `back_after_s` have passed."""

    def __init__(
        self,
        receive: Callable[[bytes], bytes],
        back_after_s: float,
        on_log: Callable[[str], None] = ignore,
    ) -> None:
        self._receive = receive
        self._back_after_s = back_after_s
        self._clock = Clock()
        self._back_s = 0.0
        self.pull_at: set[int] = set()  # numbers of writes
        self.say_first = b""
        self.opened = self.writes = 0
        clock = self._clock
        self.link = Link("plug", 115_200, on_log, open_port=self._open, clock=clock, sleep=clock.sleep)

    @property
    def now_s(self) -> float:
        return self._clock.now_s

    def _open(self, url: str, baud: int) -> FakePort:
        if self.now_s < self._back_s:
            raise NoPort("nothing there", "")
        self.opened += 1
        port = FakePort(self._receive, self._clock)
        read, write = port.read, port.write

        def reading(timeout_s: float) -> bytes:
            if self.say_first:
                said, self.say_first = self.say_first, b""
                return said
            if self._back_s > self.now_s:
                raise PortLost("lost port plug", "plug it in")
            return read(timeout_s)

        def writing(data: bytes) -> None:
            self.writes += 1
            write(data)
            if self.writes in self.pull_at:
                self._back_s = self.now_s + self._back_after_s

        port.read, port.write = reading, writing  # type: ignore[method-assign]
        return port


def test_what_was_under_way_when_the_port_went_is_asked_again() -> None:
    device = FakeDevice(summing, [1], [2])
    plug = Plug(device.receive, back_after_s=2.0)
    plug.link.request("hello")
    plug.link.request("write", input=0, offset=0, data="AA==")
    plug.pull_at = {3}
    assert plug.link.request("run", crc="d202ef8d").args["ticks"] == "1000"
    assert len(device.executed) == 1 and plug.opened == 2 and 2 < plug.now_s < 2.5


def test_a_port_that_goes_away_while_nothing_is_asked_is_opened_again() -> None:
    plug = Plug(FakeDevice(summing, [1], [2]).receive, back_after_s=2.0)
    plug.pull_at = {1}
    plug.link._port.write(b"\n")
    plug.link.idle(3.0)
    assert plug.opened == 2 and 3.0 <= plug.now_s < 3.1
    assert plug.link.request("hello").args["board"] == "fake"


def test_a_port_that_stays_away_is_an_error_soon() -> None:
    plug = Plug(FakeDevice(summing, [1], [2]).receive, back_after_s=1000)
    plug.link.request("hello")
    plug.pull_at = {2}
    with pytest.raises(PortLost, match="lost port plug"):
        plug.link.request("run", timeout_s=120, crc="00000000")
    assert 4.9 < plug.now_s < 5.5


def test_a_port_that_goes_each_time_is_an_error_at_the_deadline() -> None:
    plug = Plug(FakeDevice(summing, [1], [2]).receive, back_after_s=0.3)
    plug.pull_at = set(range(1000))
    with pytest.raises(PortLost, match="lost port plug"):
        plug.link.request("hello")
    assert 9.9 < plug.now_s < 10.5


def test_the_rest_of_a_line_that_a_lost_port_cut_is_not_joined_to_what_comes_later() -> None:
    device = FakeDevice(summing, [1], [2])
    lines: list[str] = []
    plug = Plug(lambda data: b"ready\n" + device.receive(data), back_after_s=1.0, on_log=lines.append)
    plug.say_first = b"half a line"
    plug.pull_at = {1}
    assert plug.link.request("hello").args["board"] == "fake"
    assert lines == ["half a line", "ready"] and plug.link.damaged_lines == 0


def test_a_port_that_takes_no_data_is_tried_until_the_deadline() -> None:
    clock = Clock()
    port = FakePort(FakeDevice(summing, [4], [2]).receive, clock)

    def full(data: bytes) -> None:
        clock.sleep(2.5)
        raise DeviceTimeout("port fake takes no data", "reset the device")

    write = port.write
    port.write = full  # type: ignore[method-assign]
    link = Link("fake", 115_200, open_port=port.open, clock=clock)
    with pytest.raises(DeviceTimeout, match="takes no data"):
        link.request("hello")
    assert 10 <= clock.now_s <= 12.5
    port.write = lambda data: full(data) if clock.now_s < 15 else write(data)  # type: ignore[method-assign]
    assert link.request("hello").args["board"] == "fake"


# Faults


def exchanges(count: int, faults: Faults, chunk: int) -> tuple[int, int]:
    """Write random bytes, run, read back; returns how many went right and how many ended in an error."""
    device = FakeDevice(lambda inputs: [bytes(reversed(inputs[0]))], [chunk], [chunk])
    device.receive(record(1, "hello"))
    link, _, _ = linked(device.receive, faults)
    right = errors = 0
    for _ in range(count):
        data = faults.random.randbytes(chunk)
        try:
            link.request("write", input=0, offset=0, data=base64.b64encode(data).decode())
            runs = len(device.executed)
            crc = link.request("run", crc=f"{zlib.crc32(data):08x}").args["crc"]
            assert len(device.executed) == runs + 1
            out = base64.b64decode(link.request("read", output=0, offset=0, bytes=chunk).args["data"])
        except (LinkCorrupt, DeviceTimeout):
            errors += 1
            continue
        assert out == data[::-1]
        assert crc == f"{zlib.crc32(out):08x}"
        right += 1
    return right, errors


FAULTS = {
    "drop": {"drop": 0.01},
    "flip": {"flip": 0.01},
    "repeat": {"repeat": 0.01},
    "insert": {"insert": 0.01},
    "all": {"drop": 0.003, "flip": 0.003, "repeat": 0.002, "insert": 0.002, "hold": 0.05},
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faulty_lines_give_the_right_bytes_or_an_error(kind: str) -> None:
    right, errors = exchanges(800, Faults(random.Random(kind), **FAULTS[kind]), 16)
    assert right > 760, f"{errors} errors"


@pytest.mark.thorough
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("seed", range(5))
def test_faulty_lines_give_the_right_bytes_or_an_error_thoroughly(kind: str, seed: int) -> None:
    right, errors = exchanges(20000, Faults(random.Random(f"{kind}{seed}"), **FAULTS[kind]), 16)
    assert right > 19000, f"{errors} errors"


# Ports


class Served:
    """A device behind a TCP socket; closes it after so many received pieces, so many times."""

    def __init__(
        self, receive: Callable[[bytes], bytes], pieces: int | None = None, connections: int = 1
    ) -> None:
        self._receive = receive
        self._pieces = pieces
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        for _ in range(self._connections):
            connection, _ = self._listener.accept()
            with connection:
                pieces = 0
                while pieces != self._pieces and (data := connection.recv(4096)):
                    pieces += 1
                    connection.sendall(self._receive(data))

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.join()


def test_it_works_over_pyserial() -> None:
    device = FakeDevice(summing, [4], [2])
    with Served(device.receive) as served, Link(served.url, 115_200) as link:
        assert link.request("hello").args["board"] == "fake"
        start = time.monotonic()
        for _ in range(100):
            link.request("memory")
        assert time.monotonic() - start < 100 * POLL_S, "a request waits for no timeout"


def test_a_port_that_goes_away_is_opened_again() -> None:
    device = FakeDevice(summing, [4], [2])
    with (
        Served(device.receive, pieces=2, connections=3) as served,
        Link(served.url, 115_200, sleep=lambda seconds: None) as link,
    ):
        for _ in range(5):
            assert link.request("hello").args["board"] == "fake"


def test_what_a_device_said_before_it_went_away_still_arrives() -> None:
    with Served(lambda data: b"last words", pieces=1) as served:
        port = SerialPort(served.url, 115_200)
        port.write(b"?")
        served.join()  # both the words and the end of the line are there before the first read
        said = b""
        with pytest.raises(DeviceError, match="lost port socket://"):
            while True:
                said += port.read(1)
        port.close()
    assert said == b"last words"


@pytest.mark.parametrize(
    "url",
    [
        "/dev/no-such-port",
        "socket://localhost",
        "socket://127.0.0.1:1",
        "nonsense://x",
        "socket://a:1?logging=x",
        "",
    ],
)
def test_a_port_that_cannot_be_opened_is_named(url: str) -> None:
    with pytest.raises(NoPort) as caught:
        Link(url, 115_200)
    assert f"cannot open port {url}" in caught.value.message and "\n" not in caught.value.message
