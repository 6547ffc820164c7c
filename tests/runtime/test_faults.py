"""Whatever the line does to the application in C: the right bytes, or a typed error in time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright.errors import DeviceError, DeviceTimeout, LinkCorrupt, PortLost
from microwright.graph import Array, Graph
from microwright.link import TIMEOUT_S, Link, Record
from microwright.measure import measure
from tests.support import small_app
from tests.support.fake_device import Clock, parse
from tests.support.faults import Faults
from tests.support.faulty_line import FaultyLine
from tests.support.small_app import INPUTS, FramedDevice

# What a request may take beyond its time: the writing of one line and one step of the clock.
_SLACK_S = 0.2


@dataclass
class Tally:
    """What happened in all sessions."""

    exchanges: int = 0
    sessions: int = 0
    whole_sessions: int = 0
    inferences: int = 0
    longest_s: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    damaged_lines: int = 0
    restarts: int = 0


class WatchedLink(Link):
    """A link that checks each exchange: its time, and that the device really said what came."""

    def __init__(self, *args: Any, tally: Tally, line: FaultyLine, clock: Clock) -> None:
        super().__init__(*args, open_port=line.open, clock=clock, sleep=clock.sleep)
        self._tally = tally
        self._line = line

    def request(self, verb: str, *, timeout_s: float = TIMEOUT_S, **args: int | str) -> Record:
        started_s = self._clock()
        self._tally.exchanges += 1
        try:
            reply = super().request(verb, timeout_s=timeout_s, **args)
        except DeviceError as error:
            self._tally.errors[type(error).__name__] += 1
            raise
        finally:
            took_s = self._clock() - started_s
            assert took_s <= timeout_s + _SLACK_S
            self._tally.longest_s = max(self._tally.longest_s, took_s)
        said = [record for line in self._line.said if (record := parse(line[line.find(b"@") :]))]
        assert (reply.seq, reply.verb, dict(reply.args)) in said
        return reply

    def close(self) -> None:
        super().close()
        self._tally.damaged_lines += self.damaged_lines


def samples(chance: random.Random, count: int) -> list[tuple[Array, ...]]:
    # 127 at most: the model refuses a first byte of 255.
    return [
        tuple(np.frombuffer(bytes(chance.randrange(128) for _ in range(size)), np.int8) for size in INPUTS)
        for _ in range(count)
    ]


def faults(chance: random.Random) -> Faults:
    """Byte errors of 1 % at most, of kinds in any proportion; the other faults often enough to be met."""
    rate = 0.01 * chance.random() ** 2
    parts = [chance.expovariate(1) for _ in range(4)]
    kinds = [rate * part / sum(parts) for part in parts]
    seldom = chance.choice([0.0, 0.004])
    return Faults(chance, *kinds, hold=5 * seldom, again=seldom, split=0.1, reset=seldom, close=seldom)


def session(device: FramedDevice, chance: random.Random, streams: bool, tally: Tally) -> None:
    """Measure a few samples; what comes of it is right."""
    clock = Clock()
    line = FaultyLine(device, clock, faults(chance))
    inputs = samples(chance, chance.randint(1, 12))
    watched = partial(WatchedLink, tally=tally, line=line, clock=clock)
    tally.sessions += 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Graph, "streams", streams)
        try:
            layers = chance.random() < 0.5
            measured = measure(small_app.image(), "faulty", inputs, layers=layers, connect=watched)
        except (LinkCorrupt, DeviceTimeout, PortLost) as error:
            assert "\n" not in error.message + error.hint
            return
        finally:
            assert line.closed
            tally.faults += line.faults.counts
    tally.whole_sessions += 1
    tally.inferences += len(inputs)
    assert len(measured.outputs) == measured.latency.runs == len(inputs)
    for number, (sample, outputs) in enumerate(zip(inputs, measured.outputs, strict=True)):
        expected = small_app.compute([a.tobytes() for a in sample], number + 1 if streams else 1)
        assert [output.tobytes() for output in outputs] == expected
    assert set(measured.latency.samples) == {round(1123e6 / 4294967295, 3)}
    assert [layer.latency for layer in measured.layers] in (
        [],
        [round(t / 4294.967295, 3) for t in (123, 4000)],
    )
    assert (measured.stack_bytes, measured.stack_peak_bytes) == (1234, 5678)


def sessions(program: Path, seed: int, exchanges: int) -> Tally:
    chance = random.Random(seed)
    tally = Tally()
    device = FramedDevice(program)
    while tally.exchanges < exchanges:
        session(device, chance, chance.random() < 0.5, tally)
    device.close()
    tally.restarts = device.restarts
    return tally


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("application")
    return small_app.compile_with("port_frames.c", folder / "application", "-DLAST_LAYER_TICKS=4000u")


def test_faults_of_all_kinds(program: Path) -> None:
    tally = sessions(program, 1, 2000)
    assert tally.whole_sessions > tally.sessions / 2
    kinds = set(Faults.__dataclass_fields__) - {"random", "counts"}
    assert set(tally.faults) == kinds and tally.restarts == tally.faults["reset"]


@pytest.mark.thorough
def test_a_hundred_thousand_exchanges(program: Path) -> None:
    tally = sessions(program, 0, 100_000)
    print(tally)
    assert tally.whole_sessions > tally.sessions / 2
