"""The stages chained: a model file to a measured firmware."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from microwright import board as boards
from microwright import build as builds
from microwright import (
    comparison,
    coverage,
    device,
    footprint,
    load,
    noise,
    project,
    report,
    runners,
    samples,
    sources,
    verify,
)
from microwright.accuracy import Scorer, Scores, task
from microwright.build import Image, Toolchain
from microwright.comparison import Comparison
from microwright.coverage import Caution
from microwright.data import Data, shape_text
from microwright.errors import InputError
from microwright.graph import TRAINED, Array, Graph
from microwright.graph import read as read_graph
from microwright.interpreted import LiteRt
from microwright.link import Connect, Link, ignore
from microwright.load import Model
from microwright.measure import Measurement, measure
from microwright.noise import LayerNoise
from microwright.profile import MlperfTiny
from microwright.progress import Progress, silent
from microwright.quantize import Recipe, quantize
from microwright.report import Report
from microwright.runners import Flasher, ssh
from microwright.samples import Samples
from microwright.sources import Source
from microwright.target import Optimize
from microwright.verify import Agreement

REPORT = "report.json"
# Where the runs of a measurement that did not end are kept: beside a report of deploy, which stays.
PARTIAL = "report-partial.json"


def ignore_partial(partial: Report) -> None:
    """What was measured until an error is forgotten."""


def deploy(
    model: Model | str | Path,
    board_id: str,
    *,
    out: str | Path | None = None,
    data: Source | str | Path | None = None,
    engine: str = "aot",
    optimize: Optimize = "balanced",
    arena_section: Sequence[str] = (),
    arch: str | None = None,
    toolchain: Toolchain | None = None,
    profile: MlperfTiny | None = None,
    random_inputs: int = 20,
    json_path: str | Path | None = None,
    calibration: Recipe | Source | str | Path | None = None,
    url: str | None = None,
    runner: str | None = None,
    probe: str | None = None,
    host: str | None = None,
    serial: str | None = None,
    litert: LiteRt | None = None,
    warmup: int = 1,
    runs: int | None = None,
    per_layer: bool = False,
    sustained_s: int = 0,
    force: bool = False,
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    on_caution: Callable[[Caution], None] = coverage.ignore,
    on_partial: Callable[[Report], None] = ignore_partial,
    connect: Connect = Link,
) -> Report:
    """From a model, loaded or as a path, to a measurement on a board.

    Quantises a Keras model as `load_graph` does, generates the firmware project in `out`
    (default: `project_directory`), builds it, flashes or starts it by `runner` (default: the board's first),
    runs the samples of `data` or random ones, and compares what the device gives with the reference
    interpreter; `toolchain` is that of `build`; `url`, `probe`, `warmup`, `runs` and `per_layer` are those of
    `evaluate`. A board that runs Linux is reached at `host`, its agent over the network or over the board's
    own serial line, to which the port `serial` is connected; without a host, an agent that was started
    answers there. With `litert` the model is run by LiteRT and not compiled. The arena lies in the first of
    the regions `arena_section` that holds it, else in two of them; where none is given, as the board file
    says; `arch` is the architecture of the board's Linux, by default its file's first. Writes the report, or
    that of the runs until Ctrl-C or the device ended them, to `report.json` in the project, and to
    `json_path`; `on_partial` hears of the latter. With a `profile` the firmware answers MLPerf Tiny's
    protocol, too. `connect` opens the serial line, see `measure`.

    Outputs that differ are the report's news, not an exception: see `report.require_agreement`. Raises any
    other MicrowrightError.
    """
    cautions: list[Caution] = []

    def note(caution: Caution) -> None:
        cautions.append(caution)
        on_caution(caution)

    graph = load_graph(model, calibration, progress=progress, on_caution=note)
    board = boards.load(board_id)
    runners.check_all(board)
    if arch is not None:
        board = board.with_arch(arch)
    if arena_section:
        board = board.with_arena(*arena_section)
    if board.linux is None and (serial is not None or sustained_s):
        raise InputError(
            f"board {board.id} runs no Linux", f"leave {'--serial' if serial else '--sustained'} out"
        )
    if url is not None and (host is not None or serial is not None):
        raise InputError("a device that runs already and one to be reached are both given", "choose one")
    if host is not None:
        board, runner = ssh.reaching(board, host, serial), "ssh"
    elif serial is not None:
        url = serial
    wanted = take_samples(graph, data, random_inputs, progress=progress, on_caution=note)
    if litert is None:
        builds.require_tools(board, toolchain)
    first = runners.default(board)
    if runner is None and isinstance(first, Flasher):
        runner = first.name
    device.check(board, url, runner, probe)
    directory = Path(out) if out is not None else project_directory(model, board_id)
    made = project.create(
        directory, graph, board, engine=engine, optimize=optimize, profile=profile, litert=litert, force=force
    )
    image = builds.build(made, progress, toolchain=toolchain)
    for caution in footprint.examine(image.footprint):
        note(caution)

    def write(result: Report) -> None:
        report.write(result, made.directory / REPORT)
        if json_path is not None:
            report.write(result, Path(json_path))

    def write_partial(result: Report) -> None:
        write(result)
        on_partial(result)

    result = evaluate(
        image,
        wanted,
        url=url,
        runner=runner,
        probe=probe,
        warmup=warmup,
        runs=runs,
        per_layer=per_layer,
        sustained_s=sustained_s,
        cautions=cautions,
        progress=progress,
        on_log=on_log,
        on_caution=on_caution,
        on_partial=write_partial,
        connect=connect,
    )
    write(result)
    return result


def load_graph(
    model: Model | str | Path,
    calibration: Recipe | Source | str | Path | None = None,
    *,
    progress: Progress = silent,
    on_caution: Callable[[Caution], None] = coverage.ignore,
) -> Graph:
    """Graph of a `.tflite`, or of a Keras model quantised by a recipe, or with the samples of a source.

    `on_caution` is told what speaks against trusting the model. TensorFlow is imported for a Keras model
    only. Raises InputError, UnsupportedOp, ToolMissing.
    """
    if not isinstance(model, Model):
        model = load.load(Path(model))
    if model.flatbuffer is not None:
        if isinstance(calibration, Recipe) and calibration != Recipe():
            raise InputError(
                f"{model.path}: a .tflite is run as it is, not quantised again",
                "leave --calibration, --scheme and the like out, or give the Keras model",
            )
        graph = read_graph(model.flatbuffer, model.name)
        for caution in coverage.of_graph(graph):
            on_caution(caution)
        return graph
    if not isinstance(calibration, Recipe):
        calibration = Recipe(None if calibration is None else _source(calibration))
    return quantized(model, calibration, progress=progress, on_caution=on_caution)


def quantized(
    model: Model,
    recipe: Recipe,
    validation: Data | None = None,
    *,
    progress: Progress = silent,
    on_caution: Callable[[Caution], None] = coverage.ignore,
) -> Graph:
    """A float model quantised by a recipe.

    `on_caution` is told what the calibration samples leave out, also of what the validation samples have.
    Raises InputError where calibration samples are missing and random ones were not asked for, or where they
    are given and the scheme takes none.
    """
    inputs = load.inputs(model)
    if recipe.scheme == "float32" and (recipe.calibration is not None or recipe.calibrate_randomly):
        raise InputError(
            f"{model.path}: the scheme float32 takes no calibration samples",
            f"leave {'--calibrate-randomly' if recipe.calibrate_randomly else '--calibration'} out",
        )
    calibration = None
    if recipe.calibration is not None:
        if recipe.calibrate_randomly:
            raise InputError(
                f"{model.path}: calibration samples and random calibration are both asked for", "choose one"
            )
        calibration = sources.load(recipe.calibration, inputs, progress=progress)
    graph = quantize(
        model,
        calibration,
        randomly=recipe.calibrate_randomly,
        scheme=recipe.scheme,
        input_type=recipe.input_type,
        output_type=recipe.output_type,
        progress=progress,
    )
    found = coverage.of_graph(graph)
    if graph.ranges == TRAINED:
        found += coverage.unused(recipe.calibration is not None or recipe.calibrate_randomly)
    elif calibration is not None and recipe.calibration is not None:
        graph = replace(graph, ranges=f"{graph.ranges} of {Path(recipe.calibration.where).name}")
        found += coverage.examine(calibration, inputs, validation)
    for caution in found:
        on_caution(caution)
    return graph


def _source(given: Source | str | Path) -> Source:
    return given if isinstance(given, Source) else Source(str(given))


def project_directory(model: Model | str | Path, board_id: str) -> Path:
    """Where a project goes by default: `MODEL-BOARD` in the working directory."""
    path = model.path if isinstance(model, Model) else Path(model)
    name = f"{path.stem}-{Path(board_id).stem}"
    return Path(re.sub(r"[^\w.-]+", "-", name).lstrip(".-") or "project")


def take_samples(
    graph: Graph,
    data: Source | str | Path | None,
    random_inputs: int,
    *,
    progress: Progress = silent,
    on_caution: Callable[[Caution], None] = coverage.ignore,
) -> Samples:
    """The samples of a source, or `random_inputs` random ones, the same each time. Raises InputError.

    `on_caution` is told of samples far beyond what the model's inputs can hold.
    """
    if data is None:
        return samples.random(graph, random_inputs)
    loaded = sources.load(data, samples.inputs(graph), progress=progress)
    taken = samples.of_data(graph, loaded)
    for caution in coverage.of_data(graph, loaded):
        on_caution(caution)
    if loaded.labels is not None and task(graph, taken.labels) is None:
        on_caution(_unscored(graph, loaded.labels))
    return taken


def _unscored(graph: Graph, labels: Array) -> Caution:
    output = graph.tensors[graph.outputs[0]]
    what = "class indices" if labels.dtype.kind == "i" else f"targets of shape {shape_text(labels.shape[1:])}"
    return Caution(
        "unscored-labels",
        f"labels are {what}, the first output is {output.dtype} {shape_text(output.shape)}: "
        "no accuracy or AUC applies",
        "outputs are compared with the reference all the same; scores need one class index a sample",
    )


def evaluate(
    image: Image,
    wanted: Samples,
    *,
    url: str | None = None,
    runner: str | None = None,
    probe: str | None = None,
    warmup: int = 1,
    runs: int | None = None,
    per_layer: bool = False,
    sustained_s: int = 0,
    cautions: Sequence[Caution] = (),
    progress: Progress = silent,
    on_log: Callable[[str], None] = ignore,
    on_caution: Callable[[Caution], None] = coverage.ignore,
    on_partial: Callable[[Report], None] = ignore_partial,
    connect: Connect = Link,
) -> Report:
    """Run samples on a device with the image and on the reference interpreter, and compare.

    The device is the one at `url`, or one that `runner` (default: the board's first) starts and ends, or that
    it flashes onto the board that `probe` names; see `device.reach`. It runs the first sample `warmup` times
    and then `runs` times the samples in turn (default: each once); `per_layer` adds a run that times each
    layer, `sustained_s` seconds of inferences back to back where the device is an agent. The report carries
    the cautions, and those that the measurement gives, which `on_caution` is told.
    Where Ctrl-C or an error ends it after some runs, `on_partial` gets their report.
    """
    judge = _Judge(image.project.graph, wanted)

    def made(measured: Measurement) -> Report:
        return report.make(image, measured, judge.agreement, judge.scores, cautions)

    with device.reach(image, url, runner, probe, progress) as reached:
        measured = measure(
            image,
            reached.url,
            wanted.inputs,
            emulation=reached.emulation,
            warmup=warmup,
            runs=runs,
            layers=per_layer,
            sustained_s=sustained_s,
            on_outputs=judge.take,
            on_partial=lambda measured: on_partial(made(measured)),
            progress=progress,
            on_log=on_log,
            connect=connect,
        )
    result = made(measured)
    for caution in result.cautions[len(cautions) :]:
        on_caution(caution)
    return result


class _Judge:
    """Holds outputs against the reference's and the labels as they come, and keeps none of them."""

    def __init__(self, graph: Graph, wanted: Samples) -> None:
        self._wanted = wanted
        self._reference = verify.reference(graph)
        if self._reference is not None:
            self._reference.reset()
            self._tally = verify.Tally(self._reference.name, verify.tolerance(graph), graph.output_names)
        self._scorer = None if wanted.labels is None else Scorer(graph, wanted.labels, wanted.classes)
        self._scored = 0

    def take(self, number: int, outputs: tuple[Array, ...]) -> None:
        """The outputs of a sample. The reference runs it now; a second run of one is compared, not scored."""
        inputs = self._wanted.inputs[number]
        if self._reference is not None:
            self._tally.add(self._reference.run(inputs), outputs)
        if self._scorer is not None and number == self._scored:
            self._scorer.add(inputs, outputs)
            self._scored += 1

    @property
    def agreement(self) -> Agreement | None:
        return None if self._reference is None else self._tally.agreement

    @property
    def scores(self) -> Scores | None:
        return None if self._scorer is None else self._scorer.scores


def compare_models(
    model: Model,
    other: Model,
    data: Source | str | Path | None,
    random_inputs: int = 20,
    *,
    per_layer: bool = False,
    progress: Progress = silent,
    on_caution: Callable[[Caution], None] = coverage.ignore,
) -> tuple[Comparison, tuple[LayerNoise, ...]]:
    """How far two models agree on samples of a source or on random ones.

    Where `per_layer` asks for it, also the noise of each layer, of a Keras model and its int8 `.tflite`.
    """
    if data is None:
        given = comparison.random_data(model, other, random_inputs)
    else:
        given = sources.load(data, comparison.inputs(model), progress=progress)
    for graph in (comparison.graph_of(model), comparison.graph_of(other)):
        if graph is not None:
            for caution in (*coverage.of_graph(graph), *coverage.of_data(graph, given)):
                on_caution(caution)
    compared = comparison.compare(model, other, given, progress=progress)
    return compared, noise.measure(model, other, given, progress=progress) if per_layer else ()


def check_engine(
    graph: Graph, wanted: Samples, *, engine: str = "aot", progress: Progress = silent
) -> Agreement:
    """Compile a graph for this computer and compare its outputs with the reference interpreter's.

    Raises ToolMissing where a compiler or every reference interpreter is missing.
    """
    comparison.require_reference(graph)
    with tempfile.TemporaryDirectory(prefix="microwright-") as folder:
        made = project.create(Path(folder, "project"), graph, boards.load("host"), engine=engine)
        image = builds.build(made, progress)
        agreement = evaluate(image, wanted, progress=progress).agreement
    assert agreement is not None  # there is a reference
    return agreement
