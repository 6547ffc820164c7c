"""Whatever bytes come, in whatever pieces: the record that was sent, or a typed error, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microwright.errors import DeviceTimeout, LinkCorrupt, PortLost
from microwright.link import Link
from microwright.measure import measure
from tests.support import small_app
from tests.support.fake_device import Clock, FakeDevice, FakePort, record
from tests.support.faults import Faults
from tests.support.faulty_line import FaultyLine
from tests.support.small_app import CHUNK, INPUTS, OUTPUTS

# Bytes that mean something more often than others.
NOISE = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"@", b"\n", b" #", b"@7 ok ", b"@7 error code=", b"#0123abcd\n", record(0, "damaged")]
        ),
        st.sampled_from([record(7, "hello"), record(8, "ok", a=1), record(6, "ok", a=1), b"x" * 5000]),
    ),
    max_size=12,
).map(b"".join)


class Pieces(FakePort):
    """A port that reads as many bytes at once as it is told, in turn."""

    def __init__(self, said: bytes, sizes: Sequence[int], clock: Clock) -> None:
        super().__init__(lambda data: said, clock)
        self._sizes = sizes
        self._reads = 0

    def read(self, timeout_s: float) -> bytes:
        arrived, size = self._arriving, self._sizes[self._reads % len(self._sizes)]
        self._reads += 1
        self._arriving = arrived[:size]
        data = super().read(timeout_s)
        self._arriving = arrived[size:]
        return data


SIZES = st.lists(st.integers(1, 40) | st.just(100_000), min_size=1, max_size=8)


@given(NOISE, SIZES)
@settings(deadline=None)
def test_bytes_that_are_no_answer_are_an_error(noise: bytes, sizes: Sequence[int]) -> None:
    clock = Clock()
    log: list[str] = []
    port = Pieces(noise, sizes, clock)
    with Link("noisy", 115_200, log.append, open_port=port.open, clock=clock, first_seq=7) as link:
        with pytest.raises((DeviceTimeout, LinkCorrupt)):
            link.request("hello")
        assert clock.now_s <= 10.1 + len(noise) * 1e-4  # one read more
    assert all(line.isprintable() for line in log)


@given(NOISE, NOISE, SIZES)
@settings(deadline=None)
def test_an_answer_in_noise_is_found(before: bytes, behind: bytes, sizes: Sequence[int]) -> None:
    answer = record(7, "ok", ticks=1959914, data="AAEC")
    clock = Clock()
    port = Pieces(before + answer + behind, sizes, clock)
    link = Link("noisy", 115_200, open_port=port.open, clock=clock, first_seq=7)
    assert link.request("run").args == {"ticks": "1959914", "data": "AAEC"}
    assert clock.now_s < 5


@given(st.integers(1, 200_000), st.sampled_from([b"x", b"@", b"@1 ok ", b" a=1", b"#", b"\xff"]))
@settings(deadline=None, max_examples=10)
def test_a_line_without_end_takes_bounded_memory(size: int, unit: bytes) -> None:
    clock = Clock()
    port = FakePort(lambda data: b"", clock)
    noise = unit * (size // len(unit) + 1)
    longest = 0

    def read(timeout_s: float) -> bytes:
        nonlocal longest
        clock.sleep(0.5)
        longest = max(longest, len(link._received))
        return noise

    port.read = read  # type: ignore[method-assign]
    link = Link("noisy", 115_200, open_port=port.open, clock=clock)
    with pytest.raises((DeviceTimeout, LinkCorrupt)):
        link.request("hello")
    assert longest <= 65536


class Planned(Faults):
    """Faults at planned times: of each kind, the numbers of the occasions at which it happens."""

    def __init__(self, plan: Mapping[str, set[int]], random: Random) -> None:
        super().__init__(random, drop=1.0)
        self._plan = plan
        self._occasions: Counter[str] = Counter()

    def happens(self, kind: str) -> bool:
        self._occasions[kind] += 1
        return self._occasions[kind] in self._plan.get(kind, ())


def occasions(last: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(1, last), max_size=6)


PLANS = st.fixed_dictionaries(
    {kind: occasions(1500) for kind in ("drop", "flip", "repeat", "insert")}
    | {kind: occasions(40) for kind in ("hold", "again", "split", "reset", "close")}
)


@given(PLANS, st.integers(0, 2**32), st.booleans())
@settings(deadline=None)
def test_a_damaged_session_is_right_or_an_error(
    plan: Mapping[str, set[int]], seed: int, layers: bool
) -> None:
    clock = Clock()
    device = FakeDevice(
        lambda inputs: small_app.compute(inputs, len(device.history)),
        INPUTS,
        OUTPUTS,
        layers=2,
        chunk=CHUNK,
        says={"build": "009fff"},
    )
    line = FaultyLine(device, clock, Planned(plan, Random(seed)))
    samples = [tuple(np.arange(size, dtype=np.int8) + number for size in INPUTS) for number in range(3)]

    def connect(url: str, baud: int, on_log: object) -> Link:
        return Link(url, baud, open_port=line.open, clock=clock, sleep=clock.sleep)

    try:
        measured = measure(small_app.image(), "damaged", samples, layers=layers, connect=connect)
    except (LinkCorrupt, DeviceTimeout, PortLost):
        return
    finally:
        assert line.closed
    for sample, outputs in zip(samples, measured.outputs, strict=True):
        assert [a.tobytes() for a in outputs] == small_app.compute([a.tobytes() for a in sample], 1)
    assert measured.latency.runs == len(samples)
    assert [layer.latency for layer in measured.layers] == ([100, 200] if layers else [])
