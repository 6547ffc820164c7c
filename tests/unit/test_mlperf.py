"""MLPerf Tiny without its runner: right results and honest numbers, or an error."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from microwright import cli, data, mlperf
from microwright.errors import DeviceError, DeviceTimeout, InputError, LinkCorrupt, StaleFirmware
from microwright.graph import Graph
from microwright.latency import Timer
from microwright.link import Link
from microwright.mlperf import stimuli as stimuli_module
from microwright.mlperf.benchmark import score
from microwright.mlperf.report import Answer, Performance, Window
from microwright.profile import MlperfTiny, Profile, settle
from microwright.runners import Emulation
from microwright.sources import Source
from tests.support.fake_device import BUILD_ID, Clock, FakePort, Faults
from tests.support.fake_mlperf import FakeMlperf
from tests.support.firmware import dense

OWN = Profile("mine", "raw", "values", 100)
SPEED = Emulation(10**9)


def image(profile: Profile | None = OWN) -> Any:
    """What mlperf reads of an image."""
    board = SimpleNamespace(id="fake", linux=None, serial=SimpleNamespace(baud=115_200))
    graph = SimpleNamespace(outputs=(0,), tensors=(SimpleNamespace(elements=3),))
    made = SimpleNamespace(board=board, profile=profile, graph=graph, directory=Path("there"))
    return SimpleNamespace(build_id=BUILD_ID, project=made, elf=Path("not there.elf"))


def model(inputs: bytes) -> list[float]:
    """Three results that depend on every byte."""
    return [inputs[0] / 256, sum(inputs) / 2**16, sum(i * x for i, x in enumerate(inputs)) / 2**24]


def stimuli(count: int, windows: int = 1) -> list[mlperf.Stimulus]:
    rng = random.Random(1)
    return [
        mlperf.Stimulus(f"s{i}", i % 3, content=rng.randbytes(99 + windows), window_bytes=100, stride_bytes=1)
        for i in range(count)
    ]


Run = Callable[..., mlperf.Report]


@pytest.fixture
def over() -> Run:
    """mlperf.run() with a device at the other end of a line in the clock's time."""

    def run(
        receive: Callable[[bytes], bytes],
        mode: mlperf.Mode,
        given: Sequence[mlperf.Stimulus],
        faults: Faults | None = None,
        clock: Clock | None = None,
        **options: Any,
    ) -> mlperf.Report:
        clock = clock or Clock()
        port = FakePort(receive, clock, faults)
        connect = partial(Link, open_port=port.open, clock=clock)
        try:
            return mlperf.run(image(), "fake", mode, given, connect=connect, **options)
        finally:
            assert port.closed
            assert clock.now_s < 2000

    return run


def right(given: Sequence[mlperf.Stimulus]) -> list[Answer]:
    """What the device has to answer."""
    answers = []
    for stimulus in given:
        results = np.mean([model(window) for window in stimulus.windows()], axis=0)
        answers.append(Answer(stimulus.name, stimulus.label or 0, tuple(round(x, 9) for x in results)))
    return answers


def rounded(report: mlperf.Report) -> list[Answer]:
    result = report.result
    assert isinstance(result, mlperf.Accuracy)
    return [Answer(a.name, a.label, tuple(round(x, 9) for x in a.results)) for a in result.answers]


def test_accuracy_loads_runs_and_judges(over: Run) -> None:
    fake = FakeMlperf(100, model)
    given = stimuli(4, windows=3)
    report = over(fake.receive, "accuracy", given)
    for have, want in zip(rounded(report), right(given), strict=True):
        assert (have.name, have.label) == (want.name, want.label)
        assert have.results == pytest.approx(want.results, abs=1e-8)
    assert [ran[1:] for ran in fake.inferences] == [(1, 0)] * 12
    assert (report.device, report.board, report.complete) == ("fake", "fake", True)


def test_performance_takes_windows_of_ten_seconds(over: Run) -> None:
    clock = Clock()
    fake = FakeMlperf(100, model, us=20_000, clock=clock)
    result = over(fake.receive, "performance", stimuli(1), clock=clock).result
    assert isinstance(result, Performance)
    assert len(result.windows) == 5
    assert {(w.inferences, w.us) for w in result.windows} == {(551, 551 * 20_000)}
    assert (result.kind, result.median, result.by_rules) == ("measured", 50.0, True)
    assert result.counted is None
    # A first one, ever more until they take half a second, to know how many; and five windows.
    assert [ran[1:] for ran in fake.inferences] == [(1, 0), (1, 0), (10, 0), (100, 0)] + [(551, 10)] * 5


def test_a_slow_first_inference_makes_no_short_windows(over: Run) -> None:
    clock = Clock()
    fake = FakeMlperf(100, model, clock=clock)

    def receive(sent: bytes) -> bytes:
        fake.us = 20_000 if fake.inferences else 2_000_000
        return fake.receive(sent)

    result = over(receive, "performance", stimuli(1), clock=clock).result
    assert isinstance(result, Performance) and {w.inferences for w in result.windows} == {551}


def test_a_clock_that_was_not_compared_is_not_by_the_rules() -> None:
    windows = (Window(500, 10, 10_000_000),) * 5
    for timer in (None, Timer("dwt", 100_000_000, 0), Timer("dwt", 100_000_000, 0, (0.98, 0.985))):
        assert not Performance(windows, None, timer).by_rules
    assert Performance(windows, None, Timer("dwt", 100_000_000, 0, (0.999, 1.001))).by_rules


def test_a_clock_that_differs_from_the_hosts_is_said_and_not_by_the_rules(over: Run) -> None:
    clock = Clock()
    fake = FakeMlperf(100, model, us=20_000, clock=lambda: 1.1 * clock.now_s)
    report = over(fake.receive, "performance", stimuli(1), clock=clock)
    assert isinstance(report.result, Performance) and not report.result.by_rules
    (caution,) = report.result.cautions
    assert "10.0% fast beside the host's" in caution.message
    assert json.loads(json.dumps(mlperf.to_json(report)))["cautions"][0]["name"] == "clock-differs"


def test_an_emulators_time_is_no_measurement(over: Run) -> None:
    fake = FakeMlperf(100, model, us=3_000_000)
    result = over(fake.receive, "performance", stimuli(1), emulation=SPEED).result
    assert isinstance(result, Performance)
    assert {(w.inferences, w.us) for w in result.windows} == {(10, 30_000_000)}
    assert (result.kind, result.by_rules) == ("emulated", False)
    assert result.counted == 3e9


def test_the_seconds_of_an_emulator_may_be_cycles(over: Run) -> None:
    fake = FakeMlperf(100, model, us=3_000_000)
    report = over(fake.receive, "performance", stimuli(1), emulation=Emulation(unit="cycles"))
    told = mlperf.to_json(report)
    assert (told["kind"], told["instructions_per_second"], told["instructions_per_inference"]) == (
        "emulated",
        None,
        None,
    )
    # The device's timer has 1 MHz, and a tick of it is a cycle.
    assert (told["cycles_per_second"], told["cycles_per_inference"]) == (1_000_000, 3e6)


def test_short_windows_are_not_by_the_rules(over: Run) -> None:
    result = over(FakeMlperf(100, model).receive, "performance", stimuli(1), inferences=7).result
    assert isinstance(result, Performance)
    assert {w.inferences for w in result.windows} == {7} and not result.by_rules


def test_time_that_stands_still_is_an_error(over: Run) -> None:
    with pytest.raises(DeviceError, match="stands still"):
        over(FakeMlperf(100, model, us=0).receive, "performance", stimuli(1), inferences=7)
    # Found out with a few inferences: a million of them may take longer than anybody waits.
    clock = Clock()
    slow = FakeMlperf(100, model, us=0)

    def receive(sent: bytes) -> bytes:
        clock.now_s += 0.6 if b"infer" in sent else 0.0
        return slow.receive(sent)

    with pytest.raises(DeviceError, match="stands still over 1 inferences"):
        over(receive, "performance", stimuli(1), clock=clock)


def test_a_device_that_dies_in_a_window_is_not_waited_for_as_if_it_loaded(over: Run) -> None:
    clock = Clock()
    fake = FakeMlperf(100, model, us=100)

    def receive(sent: bytes) -> bytes:
        """A line that is slow to load, and a device that is silent once windows begin."""
        clock.now_s += 1.0 if b"db" in sent else 0.0
        return b"" if b" 10%" in sent else fake.receive(sent)

    with pytest.raises(DeviceTimeout, match=r"no answer to 'infer 110001 10' from .* in 1\d\d"):
        over(receive, "performance", stimuli(1), clock=clock)


@pytest.mark.parametrize("seed", range(6))
def test_damage_either_way_gives_the_right_results_or_an_error(over: Run, seed: int) -> None:
    rate = 10 ** -(3 + seed % 3)
    faults = Faults(random.Random(seed), drop=rate, flip=rate, repeat=rate, insert=rate, hold=0.01)
    given = stimuli(3)
    found: list[mlperf.Report] = []
    try:
        found.append(over(FakeMlperf(100, model).receive, "accuracy", given, faults, on_partial=found.append))
    except (LinkCorrupt, DeviceTimeout, DeviceError):
        assert rate > 1e-5
    answers = [answer for report in found for answer in rounded(report)]
    for have, want in zip(answers, right(given), strict=False):
        assert have.results == pytest.approx(want.results, abs=1e-8)


def test_a_flipped_digit_is_noticed_and_the_inference_repeated(over: Run) -> None:
    fake = FakeMlperf(100, model)
    first = {"sent": True, "received": True}

    def receive(sent: bytes) -> bytes:
        """The first piece that is loaded has another digit, and so has the second result that comes."""
        if b"db 00" in sent and first.pop("sent", False):
            sent = sent.replace(b"db 00", b"db 01")
        arrived = fake.receive(sent)
        if len(fake.inferences) == 2 and b"m-results" in arrived and first.pop("received", False):
            return arrived.replace(b"[0.", b"[1.")
        return arrived

    given = [mlperf.Stimulus("a", 0, content=bytes(range(100)), window_bytes=100, stride_bytes=1)]
    assert rounded(over(receive, "accuracy", given))[0].results == pytest.approx(
        right(given)[0].results, abs=1e-8
    )
    assert len(fake.inferences) == 3


def test_a_device_that_restarts_in_the_middle_is_loaded_again(over: Run) -> None:
    fake = FakeMlperf(100, model)
    commands = 0

    def receive(sent: bytes) -> bytes:
        nonlocal commands
        commands += 1
        if commands == 9:
            fake.reset()
            return b"microwright: mine on fake\n"
        return fake.receive(sent)

    given = stimuli(3)
    log: list[str] = []
    answers = rounded(over(receive, "accuracy", given, on_log=log.append))
    assert [a.results for a in answers] == [pytest.approx(a.results, abs=1e-8) for a in right(given)]
    assert log == ["microwright: mine on fake"]


def test_a_device_that_refuses_says_what(over: Run) -> None:
    with pytest.raises(DeviceError, match="refuses 'infer 1 0': the input is not whole"):
        short = [mlperf.Stimulus("a", 0, content=bytes(50), window_bytes=50, stride_bytes=1)]
        over(FakeMlperf(100, model).receive, "accuracy", short)


def test_a_device_that_is_silent_or_babbles_meets_its_deadline(over: Run) -> None:
    fake = FakeMlperf(100, model)
    with pytest.raises(DeviceTimeout, match="no answer to 'check'"):
        over(lambda sent: b"" if b"%" in sent else fake.receive(sent), "accuracy", stimuli(1))
    with pytest.raises(DeviceTimeout, match="no answer to 'infer 1 0'"):
        over(lambda sent: b"" if b"infer" in sent else fake.receive(sent), "accuracy", stimuli(1))
    with pytest.raises(DeviceTimeout):
        over(lambda sent: b"hm\n" * 999 if b"%" in sent else fake.receive(sent), "accuracy", stimuli(1))


def test_other_firmware_and_another_model_are_refused(over: Run) -> None:
    fake = FakeMlperf(100, model)
    fake._records.says = {"build": "00"}
    with pytest.raises(StaleFirmware):
        over(fake.receive, "accuracy", stimuli(1))
    with pytest.raises(DeviceError, match="calls its model 'other'"):
        over(FakeMlperf(100, model, model="other").receive, "accuracy", stimuli(1))


@pytest.mark.parametrize("text", ["nan,1,1", "1,1", "1,1,1,1", "1,,2", "1.2.3", "", "x" * 70_000])
def test_nonsense_results_are_refused(over: Run, text: str) -> None:
    fake = FakeMlperf(100, model)
    fake._serve = lambda words, serve=fake._serve: [  # type: ignore[method-assign]
        f"m-results-[{text}]" if line.startswith("m-results") else line for line in serve(words)
    ]
    if text == "nan,1,1":
        result = over(fake.receive, "accuracy", stimuli(1)).result
        assert isinstance(result, mlperf.Accuracy)
        assert np.isnan(result.answers[0].results[0])
    else:
        with pytest.raises(DeviceError):
            over(fake.receive, "accuracy", stimuli(1))


def test_what_was_measured_before_an_interruption_is_reported(over: Run) -> None:
    fake = FakeMlperf(100, model)

    def receive(sent: bytes) -> bytes:
        if len(fake.inferences) == 2 and b"infer" in sent:
            raise KeyboardInterrupt
        return fake.receive(sent)

    kept: list[mlperf.Report] = []
    with pytest.raises(KeyboardInterrupt):
        over(receive, "accuracy", stimuli(5), on_partial=kept.append)
    (report,) = kept
    assert len(rounded(report)) == 2 and not report.complete
    assert mlperf.to_json(report)["complete"] is False


def scored(
    results: Sequence[Sequence[float]], labels: Sequence[int], profile: Profile = OWN
) -> mlperf.Accuracy:
    pairs = zip(results, labels, strict=True)
    return score([Answer(str(i), label, tuple(row)) for i, (row, label) in enumerate(pairs)], profile)


def test_scores_are_those_of_the_benchmark() -> None:
    # Classes: shares of the sum, each class against the rest. 2 of 3 right.
    found = scored([[0.8, 0.1, 0.1], [0.2, 0.2, 0.4], [0.1, 0.1, 0.6]], [0, 1, 2])
    assert found.top1 == pytest.approx(2 / 3)
    # Class 0: 1. Class 1, shares 0.1, 0.25, 0.125: 1. Class 2, shares 0.1, 0.5, 0.75: 1.
    assert found.auc == 1.0
    # Two classes: the second one's share. Of four pairs, three are in order.
    found = scored([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.1, 0.9]], [0, 0, 1, 1])
    assert (found.top1, found.auc) == (0.5, 0.75)
    # Errors: larger is class 1; equal ones count half.
    found = scored([[1.0], [2.0], [2.0], [3.0]], [0, 0, 1, 1], Profile("a", "float32", "error", 4))
    assert (found.top1, found.auc) == (None, 0.875)
    # A class that no stimulus has: its AUC, and so the mean, is not known.
    assert scored([[0.8, 0.1, 0.1], [0.2, 0.4, 0.2]], [0, 1]).auc is None
    assert scored([[0.0, 0.0], [0.0, 1.0]], [0, 1]).auc == 1.0
    assert scored([], []) == mlperf.Accuracy((), None, None)


@pytest.mark.filterwarnings("error")
def test_answers_that_are_no_numbers_are_wrong(over: Run) -> None:
    found = scored([[0.8, 0.1, 0.1], [0.1, np.nan, 0.2], [0.0, 0.0, np.inf], [0.1, 0.2, 0.3]], [0, 1, 2, 2])
    assert (found.top1, found.auc) == (0.5, None)
    assert scored([[0.0, 1e308, 1e308], [0.0, 1.0, 2.0]], [1, 2]).auc is None
    assert scored([[1.0], [np.nan]], [0, 1], Profile("a", "float32", "error", 4)).auc is None
    turns = iter([[np.inf] * 3, [-np.inf] * 3])
    result = over(
        FakeMlperf(100, lambda inputs: next(turns)).receive, "accuracy", stimuli(1, windows=2)
    ).result
    assert isinstance(result, mlperf.Accuracy)
    assert (result.top1, result.auc) == (0.0, None)


@pytest.mark.parametrize("result", ["values", "error"])
def test_a_class_that_the_model_has_not_is_refused_before_anything_runs(result: Any) -> None:
    classes = 3 if result == "values" else 2
    wrong = [*stimuli(2), mlperf.Stimulus("last", classes, content=bytes(100), window_bytes=100)]
    with pytest.raises(InputError, match=f"class {classes}, the model's are 0 to {classes - 1}"):
        mlperf.run(image(Profile("mine", "float32", result, 100)), "nowhere", "accuracy", wrong)


def test_json_has_no_infinities(over: Run) -> None:
    fake = FakeMlperf(100, lambda inputs: [np.inf, np.nan, 1])
    report = over(fake.receive, "accuracy", stimuli(1))
    assert json.loads(json.dumps(mlperf.to_json(report), allow_nan=False))["answers"][0]["results"][:2] == [
        None,
        None,
    ]


def test_a_window_of_a_throughput() -> None:
    assert Window(20, 5, 4_000_000).per_second == 5.0
    assert Performance((), None).median is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in (("a.bin", 100), ("b.bin", 100), ("long.bin", 160), ("short.bin", 99)):
        (tmp_path / name).write_bytes(bytes(range(size)))
    return tmp_path


def read(folder: Path, truth: str) -> tuple[mlperf.Stimulus, ...]:
    (folder / mlperf.TRUTH).write_text(truth)
    return mlperf.read(folder, OWN)


def test_a_data_set_of_the_benchmark(folder: Path) -> None:
    first, second, third = read(folder, "a.bin,3,2\nb.bin,3,0\r\nlong.bin,2,1,100,30\n")
    assert (first.name, first.label, list(first.windows())) == ("a.bin", 2, [bytes(range(100))])
    assert second.label == 0
    assert [window[0] for window in third.windows()] == [0, 30, 60]
    assert {len(window) for window in third.windows()} == {100}
    (folder / "long.bin").write_bytes(bytes(99))
    with pytest.raises(InputError, match=r"long\.bin has 99 bytes, an input 100"):
        third.windows()
    (folder / "a.bin").unlink()
    with pytest.raises(InputError, match=r"a\.bin cannot be read"):
        first.windows()


@pytest.mark.parametrize(
    "truth",
    [
        "",
        "a.bin",
        "a.bin,3",
        "a.bin,3,3",
        "a.bin,3,-1",
        "a.bin,x,1",
        "a.bin,3,1,100",
        "a.bin,3,1,100,0",
        "a.bin,3,1,50,50",
        "short.bin,3,1",
        "long.bin,3,1",
        "none.bin,3,1",
        "../a.bin,3,1",
        "/etc/passwd,3,1",
        ".,3,1",
        "a.bin\0,3,1",
        "a.bin,3,99999999999999999999",
    ],
)
def test_a_wrong_data_set_is_refused(folder: Path, truth: str) -> None:
    with pytest.raises(InputError, match=r"y_labels\.csv"):
        read(folder, truth)


def test_a_data_set_without_end_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stimuli_module, "_MAX_ROWS", 2)
    assert len(read(folder, "a.bin,3,2\n\n\nb.bin,3,0\n")) == 2
    # What stands behind the limit is not even read.
    with pytest.raises(InputError, match="more than 2 rows"):
        read(folder, "a.bin,3,2\nb.bin,3,0\na.bin,3,2\n" + "x" * 200_000)
    (folder / "large.bin").write_bytes(bytes(100_100))
    assert read(folder, "large.bin,3,2,100,2\n")
    with pytest.raises(InputError, match="more than 100000 windows"):
        read(folder, "large.bin,3,2,100,1\n")


def test_a_name_too_long_and_options_of_other_sources_are_refused(folder: Path) -> None:
    read(folder, "a.bin,3,2\n")
    with pytest.raises(InputError):
        stimuli_module.load("x" * 5000, dense(), OWN)
    assert stimuli_module.load(Source(str(folder)), dense(), OWN)
    with pytest.raises(InputError, match="an image scale is for a folder of images"):
        stimuli_module.load(Source(str(folder), (0.0, 1.0)), dense(), OWN)


def profile(graph: Graph, **said: Any) -> Profile:
    return settle(MlperfTiny(**said), graph)


def test_samples_of_any_source_are_sent_as_the_runner_would() -> None:
    graph = dense(8, 4)
    whole = np.arange(-8, 8, dtype=np.int8).reshape(2, 8)
    given = data.make((whole,), np.array([1, 3]))
    raw = mlperf.of_data(given, graph, profile(graph))
    assert [(s.label, *s.windows()) for s in raw] == [(1, whole[0].tobytes()), (3, whole[1].tobytes())]
    flipped = mlperf.of_data(given, graph, profile(graph, sent="uint8"))
    assert next(flipped[0].windows()) == bytes(range(120, 128))
    pixels = data.make((np.full((1, 8), 200, np.uint8),))
    sent = mlperf.of_data(pixels, graph, profile(graph, sent="uint8"))
    assert next(sent[0].windows()) == bytes([200] * 8)
    reals = np.linspace(-1, 1, 8).astype(np.float32).reshape(1, 8)
    floats = mlperf.of_data(data.make((reals,)), graph, profile(graph, sent="float32"))
    assert next(floats[0].windows()) == reals.astype("<f4").tobytes() and floats[0].label is None
    # Quantised values become the reals that quantise to them again.
    sent = mlperf.of_data(given, graph, profile(graph, sent="float32"))
    again = np.frombuffer(next(sent[0].windows()), "<f4")
    assert data.to_input(graph, 0, again.reshape(1, 8)).reshape(-1).tolist() == whole[0].tolist()
    assert len(next(mlperf.random(graph, profile(graph))[0].windows())) == 8


def test_the_command_refuses_what_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(dense().flatbuffer)
    out = str(tmp_path / "p")
    assert cli.execute(["mlperf", out, "--mode", "accuracy"]) == 2
    assert cli.execute(["mlperf", out, "--mode", "accuracy", "--data", "x.npz", "--inferences", "2"]) == 2
    assert cli.execute(["mlperf", out, "--mode", "performance"]) == 3
    with pytest.raises(InputError, match="does not answer MLPerf Tiny"):
        mlperf.profile_of(image(None))
    with pytest.raises(InputError, match="no classes"):
        mlperf.run(image(), "nowhere", "accuracy", [mlperf.Stimulus("a", None)])
