"""The dialogue with a device: right outputs and honest numbers, or an error."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from microwright.errors import (
    DeviceError,
    DeviceFault,
    DeviceTimeout,
    InputError,
    LinkCorrupt,
    MicrowrightError,
    OutputError,
    StaleFirmware,
)
from microwright.graph import Array, DType, Graph, Node, Tensor
from microwright.latency import Latency
from microwright.link import Link
from microwright.measure import Measurement, measure
from microwright.runners import Emulation
from tests.support.fake_device import BUILD_ID, Clock, FakeDevice, FakePort, Fault
from tests.support.faults import Faults

SHAPES: Sequence[tuple[DType, tuple[int, ...]]] = [
    ("int8", (1, 700)),
    ("int16", (1, 2, 3)),
    ("int8", (1, 4)),
    ("int32", (1, 500)),
]


def image() -> Any:
    """What measure reads of an image: two inputs, two outputs, three layers."""
    tensors = tuple(
        Tensor(i, f"tensor {i}", dtype, shape, None, None) for i, (dtype, shape) in enumerate(SHAPES)
    )
    nodes = tuple(Node(i, "ADD", "", (0, 1), (2, 3), {}) for i in range(3))
    graph = Graph("m", "0" * 64, tensors, nodes, (0, 1), (2, 3), b"")
    board = SimpleNamespace(linux=None, serial=SimpleNamespace(baud=115_200))
    project = SimpleNamespace(graph=graph, board=board)
    return SimpleNamespace(build_id=BUILD_ID, project=project, elf=Path("not there.elf"))


def model(inputs: Sequence[bytes]) -> list[bytes]:
    """What the device computes, in its little-endian bytes."""
    a = np.frombuffer(inputs[0], "i1").astype(np.int64)
    b = np.frombuffer(inputs[1], "<i2").astype(np.int64)
    return [
        np.array([a[0], a[-1], b[0] % 100, 7]).astype("i1").tobytes(),
        (np.arange(500) * int(b[1]) + int(a.sum())).astype("<i4").tobytes(),
    ]


def device(**changes: Any) -> FakeDevice:
    return FakeDevice(model, [700, 12], [4, 2000], **changes)


def samples(count: int) -> list[tuple[Array, ...]]:
    rng = np.random.default_rng(1)
    return [
        (
            rng.integers(-128, 128, (1, 700), dtype=np.int8),
            rng.integers(-32768, 32768, (1, 2, 3), dtype=np.int16),
        )
        for _ in range(count)
    ]


Measure = Callable[..., Measurement]


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """measure() with a device at the other end of a line in the clock's time."""

    def run(
        receive: Callable[[bytes], bytes],
        inputs: Sequence[tuple[Array, ...]],
        faults: Faults | None = None,
        clock: Clock | None = None,
        **options: Any,
    ) -> Measurement:
        clock = clock or Clock()
        port = FakePort(receive, clock, faults)
        try:
            connect = partial(Link, open_port=port.open, clock=clock)
            return measure(image(), "fake", inputs, connect=connect, **options)
        finally:
            assert port.closed

    return run


def assert_right(measurement: Measurement, inputs: Sequence[tuple[Array, ...]]) -> None:
    assert len(measurement.outputs) == len(inputs)
    for sample, outputs in zip(inputs, measurement.outputs, strict=True):
        expected = model([sample[0].tobytes(), sample[1].astype("<i2").tobytes()])
        assert [(o.dtype.name, o.shape) for o in outputs] == [("int8", (1, 4)), ("int32", (1, 500))]
        assert [o.astype(o.dtype.newbyteorder("<")).tobytes() for o in outputs] == expected


def test_outputs_times_and_memory(over: Measure) -> None:
    fake = device()
    inputs = samples(5)
    steps: list[tuple[int, int]] = []
    measurement = over(
        fake.receive, inputs, layers=True, progress=lambda what, done, total: steps.append((done, total))
    )
    assert_right(measurement, inputs)
    # One warm-up run before them and one run that times the layers after them, which are no samples.
    assert len(fake.executed) == 7
    latency = measurement.latency
    assert (latency.kind, latency.unit, latency.samples) == ("measured", "us", (1001, 1002, 1003, 1004, 1005))
    assert (latency.inputs, latency.first, latency.first_since_boot) == ((0, 1, 2, 3, 4), 1000, True)
    assert latency.timer is not None
    assert (latency.timer.counter, latency.timer.hz, latency.timer.overhead_ticks) == ("timer", 1_000_000, 3)
    assert not over(fake.receive, inputs).latency.first_since_boot
    assert [(layer.index, layer.latency) for layer in measurement.layers] == [(0, 100), (1, 200), (2, 300)]
    assert (measurement.stack_bytes, measurement.stack_peak_bytes) == (512, 1024)
    assert measurement.hello["board"] == "fake"
    assert steps[0] == (0, 5) and steps[-1] == (5, 5)


def test_layers_and_warm_up_can_be_left_out(over: Measure) -> None:
    fake = device()
    measurement = over(fake.receive, samples(2), warmup=0)
    assert len(fake.executed) == 2 and measurement.layers == ()
    assert measurement.latency.first == measurement.latency.samples[0]


def test_samples_run_in_turn(over: Measure) -> None:
    fake = device()
    inputs = samples(3)
    measurement = over(fake.receive, inputs, runs=8)
    assert_right(measurement, inputs)
    assert measurement.latency.inputs == (0, 1, 2, 0, 1, 2, 0, 1)
    assert measurement.latency.samples == (1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008)
    assert [data[0] for data in fake.executed[1:]] == [inputs[i][0].tobytes() for i in (0, 1, 2) * 2 + (0, 1)]


def test_outputs_that_change_from_run_to_run_are_an_error(over: Measure) -> None:
    fake = device()
    fake.model = lambda inputs: [bytes([0, 0, 0, len(fake.executed) // 5]), bytes(2000)]
    with pytest.raises(DeviceError, match="other outputs for sample 1 than it gave before"):
        over(fake.receive, samples(3), runs=6, warmup=0)


def test_runs_that_do_not_fit_the_samples_are_refused(over: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="2 runs are fewer than the 3 samples"):
        measure(image(), "no port is opened", samples(3), runs=2)
    monkeypatch.setattr(Graph, "streams", True)
    with pytest.raises(InputError, match="4 runs of 3 samples: the model's samples are one stream"):
        measure(image(), "no port is opened", samples(3), runs=4)


def ratio_of(over: Measure, rate: Callable[[float], float], **options: Any) -> tuple[float, float] | None:
    clock = Clock()
    fake = device(clock=lambda: rate(clock.now_s))
    timer = over(fake.receive, samples(2), clock=clock, **options).latency.timer
    assert timer is not None
    return timer.clock_ratio


@pytest.mark.parametrize("rate", [0.5, 0.97, 1.0, 1.03, 2.0])
def test_the_devices_clock_is_compared_with_the_hosts(over: Measure, rate: float) -> None:
    ratio = ratio_of(over, lambda now_s: 1000 + now_s * rate)
    assert ratio is not None
    slowest, fastest = ratio
    assert slowest <= rate <= fastest
    assert fastest - slowest < 0.006 * rate


def test_an_emulators_clock_is_not_compared(over: Measure) -> None:
    assert ratio_of(over, lambda now_s: now_s, emulation=Emulation(1_000_000)) is None


def test_a_slow_link_gives_wide_bounds_in_bounded_time(over: Measure) -> None:
    clock = Clock()
    fake = device(clock=clock)

    def receive(data: bytes) -> bytes:
        clock.now_s += 0.3
        return fake.receive(data)

    timer = over(receive, samples(1), clock=clock).latency.timer
    assert timer is not None and timer.clock_ratio is not None
    assert timer.clock_ratio[0] <= 1 <= timer.clock_ratio[1]
    assert clock.now_s < 20


def test_a_device_that_restarted_has_no_clock_to_compare(over: Measure) -> None:
    clock = Clock()
    fake = device(clock=clock)

    restarted: list[bool] = []

    def once(data: bytes) -> bytes:
        if b" write " in data and len(fake.executed) == 3 and not restarted:
            restarted.append(True)
            fake.reset()
        return fake.receive(data)

    timer = over(once, samples(4), clock=clock).latency.timer
    assert restarted and timer is not None and timer.clock_ratio is None

    fake = device(clock=clock)

    def late(data: bytes) -> bytes:
        if b" clock " in data and fake.executed:
            fake.reset()
        return fake.receive(data)

    timer = over(late, samples(4), clock=clock).latency.timer
    assert timer is not None and timer.clock_ratio is None


def test_outputs_may_be_taken_as_they_come(over: Measure) -> None:
    fake, inputs = device(), samples(3)
    taken: list[tuple[int, int, int]] = []

    def take(number: int, outputs: tuple[Array, ...]) -> None:
        taken.append((number, len(fake.executed), int(outputs[0][0, 0])))

    measurement = over(fake.receive, inputs, on_outputs=take)
    assert measurement.outputs == ()
    # Each before the next sample runs.
    assert taken == [(i, i + 2, int(inputs[i][0][0, 0])) for i in range(3)]


@pytest.mark.parametrize("error", [InputError, OutputError, DeviceError])
def test_any_error_leaves_what_was_measured(over: Measure, error: type[MicrowrightError]) -> None:
    fake, partial_ones = device(), list[Measurement]()

    def fail(data: bytes) -> bytes:
        if len(fake.executed) == 3:
            raise error("the recording ends", "x")
        return fake.receive(data)

    with pytest.raises(error):
        over(fail, samples(4), on_partial=partial_ones.append)
    assert [len(each.latency.samples) for each in partial_ones] == [1]


def test_an_emulators_time_is_instructions(over: Measure) -> None:
    fake = device(says={"timer_hz": 32_000_000}, ticks=lambda run: run)
    measurement = over(fake.receive, samples(4), emulation=Emulation(1_000_000_000), warmup=0, layers=True)
    # 31.25 instructions a tick, rounded to nearest.
    assert measurement.latency.samples == (0, 31, 63, 94)
    assert (measurement.latency.kind, measurement.latency.unit) == ("emulated", "instructions")
    assert all(isinstance(value, int) for value in measurement.latency.samples)
    assert measurement.layers[0].latency == 3125


def test_the_ticks_of_an_emulator_may_be_cycles(over: Measure) -> None:
    fake = device(says={"timer_hz": 125_000_000}, ticks=lambda run: 1000 + run)
    measurement = over(fake.receive, samples(2), emulation=Emulation(unit="cycles"), warmup=0)
    assert measurement.latency.samples == (1000, 1001)
    assert (measurement.latency.kind, measurement.latency.unit) == ("emulated", "cycles")


def test_large_counts_stay_exact(over: Measure) -> None:
    fake = device(says={"timer_hz": 25_000_000}, ticks=lambda run: 2**60 + run)
    measurement = over(fake.receive, samples(1), emulation=Emulation(1_000_000_000), warmup=0)
    assert measurement.latency.samples == (40 * 2**60,)


def test_a_device_that_cannot_tell_its_stack(over: Measure) -> None:
    assert over(device(stack=0).receive, samples(1)).stack_bytes is None


@pytest.mark.parametrize(
    ("values", "low", "median", "p95", "high"),
    [
        ([5], 5, 5, 5, 5),
        ([4, 1], 1, 2.5, 4, 4),
        (list(range(20, 0, -1)), 1, 10.5, 19, 20),
        (list(range(1, 22)), 1, 11, 20, 21),
        (list(range(1, 101)), 1, 50.5, 95, 100),
    ],
)
def test_statistics(values: list[int], low: int, median: float, p95: int, high: int) -> None:
    latency = Latency("measured", "us", tuple(values))
    assert (latency.runs, latency.min, latency.median, latency.p95, latency.max) == (
        len(values),
        low,
        median,
        p95,
        high,
    )


# What does not fit


def test_other_firmware_is_refused_before_anything_is_sent(over: Measure) -> None:
    fake = device(says={"build": "ffff" * 10})
    with pytest.raises(StaleFirmware, match="runs build ffffffffffff, the image is build 0123456789ab"):
        over(fake.receive, samples(1))
    assert not fake.executed


def test_another_protocol_is_refused(over: Measure) -> None:
    with pytest.raises(StaleFirmware, match="speaks protocol 2, expected 1"):
        over(device(says={"proto": 2}).receive, samples(1))


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ({"inputs": "700,13"}, "says inputs=700,13, expected 700,12 bytes"),
        ({"outputs": "4"}, "says outputs=4, expected 4,2000 bytes"),
        ({"layers": 4}, "says layers=4, expected 3"),
        ({"layers": "x"}, "says layers=x, expected 3"),
        ({"chunk": 0}, "says chunk=0, expected a number from 16 to 4096"),
        ({"chunk": 99999999999999999999999}, "expected a number from 16 to 4096"),
        ({"chunk": "-5"}, "expected a number from 16 to 4096"),
        ({"timer_hz": 0}, "says timer_hz=0, expected a number from 1"),
        ({"timer_hz": ""}, "says timer_hz=, expected a number from 1"),
    ],
)
def test_nonsense_from_the_device_is_refused(over: Measure, says: dict[str, int | str], message: str) -> None:
    with pytest.raises(DeviceError) as caught:
        over(device(says=says).receive, samples(1))
    assert message in caught.value.message and "\n" not in caught.value.message + caught.value.hint


def test_nonsense_in_a_reply_is_refused(over: Measure) -> None:
    with pytest.raises(DeviceError, match="says ticks=-1, expected a number from 0"):
        over(device(ticks=lambda run: -1).receive, samples(1))

    class Short(FakeDevice):
        def _read(self, output: str, offset: str, bytes: str) -> dict[str, int | str] | str:
            return {"data": "AAA"}

    with pytest.raises(DeviceError, match="says data=AAA, expected 4 bytes of base64"):
        over(Short(model, [700, 12], [4, 2000]).receive, samples(1))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "no inputs"),
        ([(np.zeros((1, 700), np.int8),)], "a sample has 1 arrays, the model has 2 inputs"),
        ([(np.zeros((1, 700), np.uint8), np.zeros((1, 2, 3), np.int16))], "'tensor 0': got uint8"),
        (
            [(np.zeros((1, 700), np.int8), np.zeros((1, 2, 4), np.int16))],
            r"got int16 \(1, 2, 4\), expected int16 \(1, 2, 3\)",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(over: Measure, inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure(image(), "no port is opened", inputs)


# What goes wrong under way


def test_a_device_that_restarts_gets_its_inputs_again(over: Measure) -> None:
    fake = device()
    count = 0

    def receive(data: bytes) -> bytes:
        nonlocal count
        count += 1
        if count in (3, 12):
            fake.reset()
        return fake.receive(data)

    inputs = samples(3)
    assert_right(over(receive, inputs), inputs)


@pytest.mark.parametrize("streams", [True, False])
def test_state_goes_from_a_sample_to_the_next_where_samples_are_a_stream(
    over: Measure, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    monkeypatch.setattr(Graph, "streams", streams)
    there = device()
    lengths: list[int] = []
    there.model = lambda inputs: lengths.append(len(there.history)) or model(inputs)
    over(there.receive, samples(4), warmup=2, layers=True)
    assert lengths == [1, 1, *((1, 2, 3, 4) if streams else (1, 1, 1, 1)), 1]


def test_a_device_that_restarts_gets_the_whole_stream_again(
    over: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graph, "streams", True)
    there = device()

    def counting(inputs: Sequence[bytes]) -> list[bytes]:
        # What it computes is the number of inferences since the reset.
        return [bytes([0, 0, 0, len(there.history)]), bytes(2000)]

    def receive(data: bytes) -> bytes:
        sent = there.receive(data)
        if len(there.executed) == 3 and b"@" in sent and b" data=" in sent:
            there.executed.append([])
            there.reset()
        return sent

    there.model = counting
    measured = over(receive, samples(5), warmup=0)
    assert [int(outputs[0][0, 3]) for outputs in measured.outputs] == [1, 2, 3, 4, 5]


def test_a_device_that_restarts_over_and_over_is_an_error(over: Measure) -> None:
    fake = device()

    def receive(data: bytes) -> bytes:
        if b" run " in data:
            fake.reset()
        return fake.receive(data)

    with pytest.raises(
        LinkCorrupt, match="failed 3 times in a row, at last with: the device refuses 'run': hello"
    ):
        over(receive, samples(1))


@pytest.mark.parametrize("at", [b" layer index=1", b" memory "])
def test_a_device_that_restarts_after_its_runs_does_one_again(over: Measure, at: bytes) -> None:
    fake = device()
    restarts = [None]

    def receive(data: bytes) -> bytes:
        if at in data and restarts:
            restarts.pop()
            fake.reset()
        return fake.receive(data)

    inputs = samples(2)
    measurement = over(receive, inputs, layers=True)
    assert_right(measurement, inputs)
    assert measurement.latency.timer is not None and measurement.latency.timer.clock_ratio is None
    assert [layer.latency for layer in measurement.layers] == [100, 200, 300]
    assert measurement.latency.runs == 2 and len(fake.executed) == 5


def test_a_device_that_comes_back_with_other_firmware_is_refused(over: Measure) -> None:
    fake = device()

    def receive(data: bytes) -> bytes:
        if len(fake.executed) == 2:
            fake.says = {"build": "ffff" * 10}
            fake.executed.append([])
            fake.reset()
        return fake.receive(data)

    with pytest.raises(StaleFirmware, match="runs build ffffffffffff"):
        over(receive, samples(5))


def test_outputs_that_change_under_way_are_an_error(over: Measure) -> None:
    class Changing(FakeDevice):
        def _read(self, output: str, offset: str, bytes: str) -> dict[str, int | str] | str:
            self._outputs[1] = self._outputs[1][:-1] + b"\x55"
            return super()._read(output, offset, bytes)

    with pytest.raises(LinkCorrupt, match="outputs that differ from the device's checksum"):
        over(Changing(model, [700, 12], [4, 2000]).receive, samples(1))


def test_a_device_that_falls_silent_is_a_timeout(over: Measure) -> None:
    fake = device()
    with pytest.raises(DeviceTimeout, match="no answer to 'run'"):
        over(lambda data: b"" if b" run " in data else fake.receive(data), samples(1))


def test_a_line_that_only_short_records_survive(over: Measure) -> None:
    fake = device()
    lost = 0

    def receive(data: bytes) -> bytes:
        nonlocal lost
        reply = data if len(data) <= 100 else data[:99] + b"\n"
        reply = fake.receive(reply)
        # The hello is long and has to come through.
        if len(reply) > 100 and b"proto" not in reply:
            reply = reply[:99] + b"\n"
        lost += len(data) > 100
        assert lost < 100
        return reply

    inputs = samples(2)
    assert_right(over(receive, inputs), inputs)


def measure_over_faults(over: Measure, seed: int, rate: float, count: int) -> bool:
    """Whether the measurement came through; what comes through is right."""
    faults = Faults(random.Random(seed), rate / 3, rate / 3, rate / 6, rate / 6, hold=0.01)
    fake = device()
    inputs = samples(count)
    try:
        measurement = over(fake.receive, inputs, faults, layers=True)
    except (LinkCorrupt, DeviceTimeout):
        return False
    assert_right(measurement, inputs)
    assert len(fake.executed) >= count + 2
    return True


def test_a_bad_line_gives_right_outputs_or_an_error(over: Measure) -> None:
    # At one byte in a hundred, no chunk of full size ever comes through: smaller ones do.
    results = [measure_over_faults(over, seed, 0.01, 5) for seed in range(5)]
    assert any(results)
    assert all(measure_over_faults(over, seed, 0.001, 5) for seed in range(5))
    measure_over_faults(over, 0, 0.2, 5)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(40))
def test_a_bad_line_gives_right_outputs_or_an_error_thoroughly(over: Measure, seed: int) -> None:
    measure_over_faults(over, seed, [0.001, 0.003, 0.01, 0.02][seed % 4], 40)


def test_a_device_that_meets_a_fault_ends_it_with_the_runs_so_far(over: Measure) -> None:
    runs = iter(range(5))

    def failing(inputs: Sequence[bytes]) -> list[bytes]:
        if next(runs) == 3:
            raise Fault({"exception": 6, "cfsr": "00010000", "pc": "00000ef4"})
        return model(inputs)

    kept: list[Measurement] = []
    fake = device()
    fake.model = failing
    with pytest.raises(DeviceFault, match="undefined instruction"):
        over(fake.receive, samples(5), on_partial=kept.append)
    assert [partial.latency.runs for partial in kept] == [2]
    assert isinstance(kept[0].error, DeviceFault)
    assert kept[0].error.message.startswith("the device met a fault at 0x00000ef4, ")
    assert len(fake.executed) == 4
