"""Agents: what one says of its machine, its inferences, and its line, from the host's side."""

from __future__ import annotations

import base64
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from microwright.agent import Agent, Facts, facts_of, to_json
from microwright.errors import DeviceError, LinkCorrupt, StaleFirmware
from microwright.link import Link, Refused, records
from tests.support.agent import Recorded, mw_machine, mw_requests, recorded
from tests.support.fake_device import BUILD_ID, Clock, FakePort
from tests.support.faults import Faults
from tests.unit.test_measure import image, model

SAMPLE = (bytes(range(250)) * 2 + bytes(200), bytes(12))


class Runtime:
    """The model of test_measure in place of LiteRT; inferences take 1001, 1002, ... ns."""

    def __init__(self, compute: Callable[[Sequence[bytes]], list[bytes]] = model) -> None:
        self.inputs, self.outputs = [700, 12], [4, 2000]
        self.resets = self.runs = 0
        self._compute = compute

    def reset(self) -> None:
        self.resets += 1

    def run(self, inputs: Sequence[bytes]) -> int:
        self.runs += 1
        self._outputs = self._compute(inputs)
        return 1000 + self.runs

    def output(self, index: int) -> bytes:
        return self._outputs[index]


def agent(runtime: Runtime | None = None, facts: Callable[[], dict[str, Any]] = dict) -> Any:
    """The agent in Python, without a process of its own."""
    says = {"board": "rpi4", "engine": "litert", "model": "0" * 16, "build": BUILD_ID}
    return mw_requests.Agent(runtime or Runtime(), says, facts)


class Process:
    """An agent that can be started again, as `systemd` does; `restart_before` a request's verb, once."""

    def __init__(self, make: Callable[[], Any], restart_before: str | None = None) -> None:
        self.make = make
        self.restart_before = restart_before
        self.agent = make()
        self.seen: list[str] = []

    def receive(self, data: bytes) -> bytes:
        record = records.parse(data.rstrip(b"\n"))
        if record is not None:
            self.seen.append(record.verb)
            if record.verb == self.restart_before:
                self.restart_before = None
                self.agent = self.make()
        return b"".join(self.agent.receive(data))


def reached(receive: Callable[[bytes], bytes], faults: Faults | None = None) -> Agent:
    clock = Clock()
    link = Link("fake", 115_200, open_port=FakePort(receive, clock, faults).open, clock=clock)
    return Agent(link, image().project.graph, BUILD_ID)


def ask(made: Any, seq: int, verb: str, **args: int | str) -> Any:
    """One request by its line; the answer."""
    (answer,) = made.receive(records.encode(seq, verb, args))
    return records.parse(answer.rstrip(b"\n"))


def test_a_board_says_what_it_is_and_how_it_is() -> None:
    assert mw_machine.machine_facts(recorded("rpi4")) == {
        "board_model": "Raspberry Pi 4 Model B Rev 1.4",
        "revision": "c03114",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.6.31+rpt-rpi-v8",
        "governor": "ondemand",
        "frequency_hz": [600_169_920] * 4,
        "frequency_max_hz": 1_800_000_000,
        "temperature_c": 42.355,
        "throttled": 0,
        "load1": 0.08,
        "desktop": False,
    }


def test_the_clock_is_what_the_firmware_measures_not_what_the_kernel_asked_for() -> None:
    facts = mw_machine.machine_facts(recorded("rpi5_throttled"))
    assert facts["frequency_hz"] == [1_500_019_456] * 4
    assert facts["frequency_max_hz"] == 2_400_000_000
    assert (facts["throttled"], facts["temperature_c"], facts["desktop"]) == (0x5000D, 85.25, True)


def test_without_vcgencmd_the_kernel_tells() -> None:
    facts = mw_machine.machine_facts(recorded("rpi_zero_2_w"))
    assert (facts["frequency_hz"], facts["throttled"]) == ([1_000_000_000] * 4, 0x50000)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("$ vcgencmd get_throttled", "VCHI initialization failed"),
        ("$ vcgencmd measure_clock arm", "Can't open device file: /dev/vcio"),
        ("/sys/class/thermal/thermal_zone0/temp", "hot"),
        ("/proc/loadavg", "..."),
    ],
)
def test_what_is_no_fact_is_absent(command: str, said: str) -> None:
    machine = recorded("rpi4")
    machine.files[command] = said
    before, after = mw_machine.machine_facts(recorded("rpi4")), mw_machine.machine_facts(machine)
    changed = {key for key in before if before[key] != after[key]}
    assert len(changed) == 1
    (key,) = changed
    assert after[key] == ([600_000_000] * 4 if key == "frequency_hz" else None)


def test_a_machine_that_tells_nothing_is_no_error() -> None:
    assert set(mw_machine.machine_facts(Recorded({})).values()) == {None}


def test_facts_arrive_whole_over_a_line_that_damages() -> None:
    told = {**mw_machine.machine_facts(recorded("rpi4")), "os": "Größe " * 20, "unknown to us": [1]}
    process = Process(lambda: agent(facts=lambda: told))
    faults = Faults(random.Random(3), drop=0.0005, flip=0.0005, repeat=0.0005)
    facts = reached(process.receive, faults).facts()
    assert to_json(facts) == {
        key: tuple(v) if isinstance(v, list) else v for key, v in told.items() if key != "unknown to us"
    }
    assert facts.governor == "ondemand"


def test_facts_of_different_times_differ() -> None:
    hot = iter([41.5, 63.25])
    device = reached(Process(lambda: agent(facts=lambda: {"temperature_c": next(hot)})).receive)
    assert [device.facts().temperature_c, device.facts().temperature_c] == [41.5, 63.25]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"\xff{}",
        b"[" * 5000,
        b'{"throttled": -1}',
        b'{"throttled": 1.5}',
        b'{"throttled": true}',
        b'{"threads": 36893488147419103232}',
        b'{"temperature_c": NaN}',
        b'{"temperature_c": Infinity}',
        b'{"temperature_c": "hot"}',
        b'{"desktop": 1}',
        b'{"frequency_hz": 600000000}',
        b'{"frequency_hz": ["fast"]}',
        b'{"os": "\\u001b[2J"}',
        json.dumps({"os": "x" * 257}).encode(),
    ],
)
def test_facts_that_are_none_are_refused(said: bytes) -> None:
    with pytest.raises(DeviceError, match="the agent's facts"):
        facts_of(said)


def test_facts_may_all_be_absent() -> None:
    assert facts_of(b'{"os": null}') == Facts()


def test_a_burst_has_the_time_of_each_inference_and_leaves_the_inputs() -> None:
    runtime = Runtime()
    process = Process(lambda: agent(runtime))
    device = reached(process.receive)
    first = device.burst(SAMPLE, runs=300)
    written = process.seen.count("write")
    second = device.burst(SAMPLE, runs=2)
    assert first.samples_ns == tuple(range(1002, 1302)), "the first inference is the one to compare with"
    assert second.samples_ns == (1302, 1303)
    assert first.crc == second.crc == zlib.crc32(b"".join(model(SAMPLE)))
    assert process.seen.count("write") == written
    assert runtime.resets == runtime.runs == 303
    assert device.run(SAMPLE, reset=True).outputs == tuple(model(SAMPLE))
    assert device.burst(SAMPLE, runs=1).crc == first.crc, "the run took the inputs: they are sent again"


def test_the_seconds_end_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(1000))
    clock = SimpleNamespace(monotonic=lambda: next(now), monotonic_ns=lambda: 0)
    monkeypatch.setattr(mw_requests, "time", clock)
    assert len(reached(Process(agent).receive).burst(SAMPLE, seconds=7).samples_ns) == 7


@pytest.mark.parametrize("verb", ["facts", "burst", "samples", "clock"])
def test_an_agent_that_restarts_is_asked_again(verb: str) -> None:
    process = Process(lambda: agent(facts=lambda: {"os": "Linux"}), restart_before=verb)
    device = reached(process.receive)
    assert device.facts().os == "Linux"
    assert len(device.burst(SAMPLE, runs=5).samples_ns) == 5
    assert process.restart_before is None


@pytest.mark.parametrize("seed", range(3))
def test_bursts_are_right_over_a_line_that_damages(seed: int) -> None:
    faults = Faults(random.Random(seed), drop=0.0003, flip=0.0003, repeat=0.0003)
    runtime = Runtime()
    device = reached(Process(lambda: agent(runtime)).receive, faults)
    burst = device.burst(SAMPLE, runs=100)
    assert burst.samples_ns == tuple(range(burst.samples_ns[0], burst.samples_ns[0] + 100))


def test_outputs_that_change_in_a_burst_are_an_error() -> None:
    count = iter(range(1000))
    with pytest.raises(LinkCorrupt, match="give other outputs than one alone, 3 times"):
        reached(
            Process(
                lambda: agent(Runtime(lambda _: [bytes(4), bytes(1999) + bytes([next(count) % 251])]))
            ).receive
        ).burst(SAMPLE, runs=1)


def test_a_request_that_comes_twice_is_done_once() -> None:
    runtime, times = Runtime(), iter(range(100))
    made = agent(runtime, lambda: {"time_ns": next(times)})
    ask(made, 1, "hello")
    for index, data in enumerate(SAMPLE):
        ask(made, 2 + index, "write", input=index, offset=0, data=base64.b64encode(data).decode())
    assert ask(made, 9, "burst", runs=5, seconds=1) == ask(made, 9, "burst", runs=5, seconds=1)
    assert runtime.runs == 5
    assert ask(made, 10, "facts") == ask(made, 10, "facts")
    assert ask(made, 11, "facts") != ask(made, 10, "facts")


@pytest.mark.parametrize(
    ("verb", "args", "code"),
    [
        ("burst", {"runs": 1, "seconds": 1}, "incomplete"),
        ("burst", {"runs": 0, "seconds": 1}, "argument"),
        ("burst", {"runs": 65537, "seconds": 1}, "argument"),
        ("burst", {"runs": 1, "seconds": 11}, "argument"),
        ("burst", {"runs": 1}, "argument"),
        ("samples", {"offset": 0, "bytes": 8}, "incomplete"),
        ("facts", {"offset": 0, "bytes": 8}, "incomplete"),
        ("write", {"input": 2, "offset": 0, "data": ""}, "argument"),
        ("write", {"input": 0, "offset": 1, "data": ""}, "order"),
        ("write", {"input": 0, "offset": 0, "data": "?"}, "argument"),
        ("write", {"input": 1, "offset": 0, "data": "AAAAAAAAAAAAAAAAAA=="}, "argument"),
        ("write", {"input": "-1", "offset": 0, "data": ""}, "argument"),
        ("read", {"output": 0, "offset": 0, "bytes": 4}, "incomplete"),
        ("run", {"crc": "00000000"}, "incomplete"),
        ("run", {"crc": "0"}, "argument"),
        ("run", {"crc": "00000000", "until": 1}, "model"),
        ("layer", {"index": 0}, "argument"),
        ("arena", {"offset": 0, "bytes": 1}, "verb"),
        ("receive", {}, "verb"),
    ],
)
def test_what_cannot_be_done_is_refused(verb: str, args: dict[str, int | str], code: str) -> None:
    made = agent()
    assert ask(made, 1, verb, **args).args == {"code": "hello"}
    ask(made, 2, "hello")
    assert ask(made, 3, verb, **args).args == {"code": code}


def test_a_model_that_fails_is_refused_and_the_agent_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    def fails(inputs: Sequence[bytes]) -> list[bytes]:
        raise RuntimeError("node 3 failed to invoke")

    device = reached(Process(lambda: agent(Runtime(fails))).receive)
    with pytest.raises(Refused, match="model"):
        device.burst(SAMPLE)
    assert "node 3 failed to invoke" in capfd.readouterr().err
    assert device.facts() == Facts()


def test_an_agent_of_another_model_is_refused() -> None:
    clock = Clock()
    with (
        Link("fake", 115_200, open_port=FakePort(Process(agent).receive, clock).open, clock=clock) as link,
        pytest.raises(StaleFirmware, match="runs build 0123456789ab, the image is build aaaa"),
    ):
        Agent(link, image().project.graph, "a" * 40)


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_noise_is_answered_as_damage_or_not_at_all(piece: int) -> None:
    made = agent()
    hello = records.encode(1, "hello", {})
    noise = [
        (b"\n\n", 0),
        (b"@0 damaged #6ea3d2ef\n", 1),  # its checksum is wrong
        (mw_requests.record(0, "damaged", {}), 0),  # an echo of ours
        (mw_requests.record(7, "ok", {}), 0),
        (mw_requests.record(65536, "hello", {}), 0),
        (b"\x00\xff" * 100_000 + b"\n", 1),
        (b"@5 write data=" + b"A" * 100_000 + b" #00000000\n", 1),
        (b"@5 half a rec" + hello, 0),
    ]
    for data, damaged in noise:
        sent = data + hello
        answers = [line for at in range(0, len(sent), piece) for line in made.receive(sent[at : at + piece])]
        assert answers.count(mw_requests.record(0, "damaged", {})) == damaged, data[:40]
        assert len(answers) - damaged == data.count(hello) + 1


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    made = agent()
    tracemalloc.start()
    for _ in range(100):
        assert not list(made.receive(b"@" + b"A" * 100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
