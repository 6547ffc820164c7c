"""Accuracy and performance mode of MLPerf Tiny, without its runner: Image, stimuli -> Report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from microwright import culprit, device
from microwright.accuracy import roc_auc
from microwright.build import Image
from microwright.errors import DeviceError, InputError, MicrowrightError
from microwright.latency import Timer
from microwright.link import Connect, Link, ignore
from microwright.mlperf.report import WINDOW_S, WINDOWS, Accuracy, Answer, Performance, Report, Window
from microwright.mlperf.session import Session
from microwright.mlperf.stimuli import Stimulus, load
from microwright.profile import Profile
from microwright.progress import Progress, silent
from microwright.runners import Emulation
from microwright.sources import Source

Mode: TypeAlias = Literal["accuracy", "performance"]

_MAX_INFERENCES = 1_000_000
_MAX_WARMUPS = 10
# Under an emulator every inference takes the same: more of them tell nothing.
_EMULATED_INFERENCES = 10
# Inferences that take so long tell how many fit a window.
_PROBE_S = 0.5
# The longest that one inference may take, and how much longer than those of the probe others may.
_FIRST_S = 120.0
_SLACK = 10


def ignore_partial(partial: Report) -> None:
    """What was measured until an error is forgotten."""


def evaluate(
    image: Image,
    mode: Mode,
    data: Source | str | Path | None = None,
    *,
    url: str | None = None,
    runner: str | None = None,
    probe: str | None = None,
    inferences: int | None = None,
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    on_partial: Callable[[Report], None] = ignore_partial,
    connect: Connect = Link,
) -> Report:
    """Run a mode on the device at `url`, or on one that is found, flashed or started, see `device.reach`.

    `data` is a folder with the benchmark's `y_labels.csv` or any other source; without it, performance mode
    takes a random input. Where Ctrl-C or the device ends it, `on_partial` gets the report of what there is.
    Raises any MicrowrightError.
    """
    stimuli = load(data, image.project.graph, profile_of(image), progress=progress)
    _check(image, mode, stimuli)
    with device.reach(image, url, runner, probe, progress) as reached:
        return run(
            image,
            reached.url,
            mode,
            stimuli,
            emulation=reached.emulation,
            inferences=inferences,
            progress=progress,
            on_log=on_log,
            on_partial=on_partial,
            connect=connect,
        )


def profile_of(image: Image) -> Profile:
    """What the image is to MLPerf Tiny. Raises InputError where it does not answer its protocol."""
    if image.project.profile is None:
        raise InputError(
            f"{image.project.directory}: its firmware does not answer MLPerf Tiny's protocol",
            "generate the project with --profile mlperf-tiny, and build it",
        )
    return image.project.profile


def run(
    image: Image,
    url: str,
    mode: Mode,
    stimuli: Sequence[Stimulus],
    *,
    emulation: Emulation | None = None,
    inferences: int | None = None,
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    connect: Connect = Link,
    on_partial: Callable[[Report], None] = ignore_partial,
) -> Report:
    """Run a mode on the device at `url`.

    Performance mode takes the first stimulus, and `inferences` a window: by default as many as take ten
    seconds, ten under an emulator. Where Ctrl-C or the device ends it, `on_partial` gets the
    report of what there is.
    Raises InputError, and the errors of Session.
    """
    profile = profile_of(image)
    _check(image, mode, stimuli)
    with culprit.named(image), Session(image, url, on_log, connect=connect) as session:
        name, model = session.name()
        if model != profile.model:
            raise DeviceError(f"the device calls its model {model!r}", "build and flash the project again")
        answers: list[Answer] = []
        windows: list[Window] = []
        timer: Timer | None = None

        def report(complete: bool) -> Report:
            emulated = None if emulation is None else round(emulation.count(session.hz, session.hz))
            unit = "instructions" if emulation is None else emulation.unit
            result = (
                score(answers, profile)
                if mode == "accuracy"
                else Performance(tuple(windows), emulated, timer, unit)
            )
            return Report(name, image.project.board.id, profile, image.build_id, result, complete)

        try:
            if mode == "accuracy":
                _accuracy(session, stimuli, _results(image), answers, progress)
            else:
                _performance(session, stimuli[0], windows, inferences, emulation is not None, progress)
                timer = session.timer() if emulation is None else None
        except (MicrowrightError, KeyboardInterrupt, SystemExit):
            if answers or windows:
                on_partial(report(False))
            raise
        return report(True)


def _results(image: Image) -> int:
    """Number of results of an inference."""
    graph = image.project.graph
    return 1 if profile_of(image).result == "error" else graph.tensors[graph.outputs[0]].elements


def _check(image: Image, mode: Mode, stimuli: Sequence[Stimulus]) -> None:
    """Raise InputError where answers to the stimuli could not be judged."""
    if mode != "accuracy":
        return
    labels = [stimulus.label for stimulus in stimuli if stimulus.label is not None]
    if len(labels) < len(stimuli):
        raise InputError(
            "the samples have no classes, which accuracy is judged by", "give samples with labels"
        )
    classes = max(_results(image), 2)
    if max(labels, default=0) >= classes:
        raise InputError(
            f"the data has the class {max(labels)}, the model's are 0 to {classes - 1}",
            "give the data set of this model",
        )


def score(answers: Sequence[Answer], profile: Profile) -> Accuracy:
    """Accuracy of answers, which have as many results each."""
    if not answers:
        return Accuracy((), None, None)
    results = np.array([answer.results for answer in answers], np.float64)
    labels = np.array([answer.label for answer in answers])
    with np.errstate(over="ignore", invalid="ignore"):
        sums = results.sum(axis=1, keepdims=True)
    numbers = np.isfinite(sums[:, 0])
    if profile.result == "error" or results.shape[1] == 1:
        return Accuracy(tuple(answers), None, roc_auc(results[:, 0], labels == 1) if numbers.all() else None)
    top1 = float(np.mean(numbers & (results.argmax(axis=1) == labels)))
    if not numbers.all():
        return Accuracy(tuple(answers), top1, None)
    shares = results / np.where(sums == 0, 1, sums)
    areas = [roc_auc(shares[:, index], labels == index) for index in range(results.shape[1])]
    areas = areas[1:] if len(areas) == 2 else areas
    known = [area for area in areas if area is not None]
    return Accuracy(tuple(answers), top1, sum(known) / len(known) if len(known) == len(areas) else None)


def _accuracy(
    session: Session, stimuli: Sequence[Stimulus], results: int, answers: list[Answer], progress: Progress
) -> None:
    for done, stimulus in enumerate(stimuli):
        progress("accuracy", done, len(stimuli))
        found = []
        for window in stimulus.windows():
            found.append(session.infer(window, 1, 0, _FIRST_S).results)
            if len(found[-1]) != results:
                raise DeviceError(
                    f"the device gives {len(found[-1])} results, the model has {results}",
                    "build and flash the project again",
                )
        with np.errstate(over="ignore", invalid="ignore"):
            mean = tuple(float(value) for value in np.mean(np.array(found, np.float64), axis=0))
        answers.append(Answer(stimulus.name, int(stimulus.label or 0), mean))
    progress("accuracy", len(stimuli), len(stimuli))


def _performance(
    session: Session,
    stimulus: Stimulus,
    windows: list[Window],
    inferences: int | None,
    emulated: bool,
    progress: Progress,
) -> None:
    data = next(stimulus.windows())
    us, host_s = _probe(session, data)
    if inferences is None and emulated:
        inferences = _EMULATED_INFERENCES
    elif inferences is None:
        inferences = min(int(WINDOW_S * 1.1e6 / us) + 1, _MAX_INFERENCES)
    warmups = min(inferences, _MAX_WARMUPS)
    longest_s = _FIRST_S + _SLACK * host_s * (inferences + warmups)
    for done in range(WINDOWS):
        progress("performance", done, WINDOWS)
        us_all = session.infer(data, inferences, warmups, longest_s).us
        if us_all == 0:
            raise _stands_still(inferences)
        windows.append(Window(inferences, warmups, us_all))
    progress("performance", WINDOWS, WINDOWS)


def _probe(session: Session, data: bytes) -> tuple[float, float]:
    """What an inference takes: microseconds of the device's, more than 0, and seconds of the host's.

    The first one may be far slower than others, and the line takes its time for every answer: only many tell.
    """
    session.infer(data, 1, 0, _FIRST_S)
    count = 1
    while True:
        run = session.infer(data, count, 0, _FIRST_S)
        if max(run.us / 1e6, run.host_s) >= _PROBE_S or count == _MAX_INFERENCES:
            break
        count *= 10
    if run.us == 0:
        raise _stands_still(count)
    return run.us / count, run.host_s / count


def _stands_still(inferences: int) -> DeviceError:
    return DeviceError(f"the device's time stands still over {inferences} inferences", "check its timer")
