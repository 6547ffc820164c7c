"""The result of a measurement, and its JSON for other tools (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from microwright import __version__, _output, costs, errors, footprint, interpreted, ops, system
from microwright import latency as latencies
from microwright.accuracy import Scores
from microwright.build import Image
from microwright.costs import Estimate
from microwright.coverage import Caution
from microwright.errors import MicrowrightError, MismatchError
from microwright.footprint import Footprint
from microwright.latency import Latency
from microwright.measure import Measurement
from microwright.project import Project
from microwright.system import System
from microwright.target import Optimize
from microwright.verify import STAND_IN, Agreement

SCHEMA = 1


@dataclass(frozen=True)
class ModelFacts:
    """The model that was measured: the hash of its `.tflite`, the multiply-accumulates of one inference, the
    bytes of the constants that its operators read, whether random samples calibrated it, and where its ranges
    came from (empty: not known).
    """

    name: str
    sha256: str
    macs: int
    weights_bytes: int
    calibrated_randomly: bool = False
    ranges: str = ""


@dataclass(frozen=True)
class Memory:
    """What the firmware takes. None is not known: the limits of a native board, the stack where a device
    cannot tell, all of it where an interpreter runs the model (`System` has the process's memory then).

    `arena_bytes` is planned, `arena_used_bytes` how far it was written. `stack_bytes` is what an inference
    uses, `stack_peak_bytes` the most since start. `heap_bytes` is 0 where nothing is linked that hands out
    memory. `ram_total_bytes` is the arena, the other variables and the
    deepest stack since start. `code_bytes` is all in flash that is neither weights nor other constants of
    the model.
    """

    arena_bytes: int | None
    arena_used_bytes: int | None
    stack_bytes: int | None
    stack_peak_bytes: int | None
    static_ram_bytes: int | None
    heap_bytes: int | None
    ram_total_bytes: int | None
    ram_limit_bytes: int | None
    code_bytes: int | None
    weights_bytes: int | None
    flash_total_bytes: int | None
    flash_limit_bytes: int | None


@dataclass(frozen=True)
class Layer:
    """A node of the model as it was given, and the time that it took in the unit of the report's latency.

    `shape` is that of its first output, `share` its part of all layers' time, `per_mac` how many instructions
    (where an emulator counts those) or cycles a multiply-accumulate took, None where it has none or the
    core's clock is not known. `kernels` computed it. A node that a graph pass removed has no time and is not
    listed.
    """

    index: int
    op: str
    name: str
    shape: tuple[int, ...]
    macs: int
    latency: int | float
    share: float
    per_mac: float | None
    kernels: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """One measurement.

    `agreement` is None where no reference interpreter is installed, `scores` where no
    labels were given that outputs can be held against, `estimated` where the latency is no count of
    instructions or the core is not known. `cautions` say what speaks against trusting the model. `complete`
    is false where the measurement ended before its end: the report is of the runs so far; `error` is what
    ended it, None where that was Ctrl-C. `system` is the machine of an agent, None of other devices.
    """

    model: ModelFacts
    board: str
    engine: str
    optimize: Optimize
    microwright_version: str
    toolchain: str
    latency: Latency
    memory: Memory
    footprint: Footprint
    layers: tuple[Layer, ...]
    agreement: Agreement | None
    scores: Scores | None
    estimated: Estimate | None = None
    cautions: tuple[Caution, ...] = ()
    complete: bool = True
    error: MicrowrightError | None = None
    system: System | None = None

    @property
    def accuracy(self) -> float | None:
        """Share of samples, 0 to 1, whose class the device names; None where outputs are no classes."""
        return None if self.scores is None else self.scores.accuracy


def make(
    image: Image,
    measurement: Measurement,
    agreement: Agreement | None,
    scores: Scores | None,
    cautions: Sequence[Caution] = (),
) -> Report:
    """Report of a measurement with an image."""
    project = image.project
    model, graph, board = project.model, project.graph, project.board
    peak = measurement.stack_peak_bytes
    latency, machine = measurement.latency, measurement.system

    def compiled(count: int) -> int | None:
        return None if project.engine == interpreted.ENGINE else count

    return Report(
        model=ModelFacts(
            model.name,
            model.sha256,
            ops.macs(model),
            model.weights_bytes,
            model.calibrated_randomly,
            model.ranges,
        ),
        board=board.id,
        engine=project.engine,
        optimize=project.optimize,
        microwright_version=__version__,
        toolchain=image.toolchain,
        latency=latency,
        memory=Memory(
            arena_bytes=compiled(project.arena_bytes),
            arena_used_bytes=measurement.arena_peak_bytes,
            stack_bytes=measurement.stack_bytes,
            stack_peak_bytes=peak,
            static_ram_bytes=compiled(image.static_ram_bytes),
            heap_bytes=image.footprint.heap_bytes,
            ram_total_bytes=None if peak is None else project.arena_bytes + image.static_ram_bytes + peak,
            ram_limit_bytes=image.footprint.ram_limit_bytes,
            code_bytes=compiled(image.code_bytes),
            weights_bytes=compiled(image.weights_bytes),
            flash_total_bytes=compiled(image.flash_total_bytes),
            flash_limit_bytes=board.flash.bytes if board.flash else None,
        ),
        footprint=image.footprint,
        layers=_timed_layers(project, measurement),
        agreement=agreement,
        scores=scores,
        estimated=costs.of_count(latency.median, board.cpu.core, board.cpu.clock_hz)
        if latency.unit == "instructions"
        else None,
        cautions=(
            *cautions,
            *latencies.examine(latency, repeatable=not graph.streams),
            *(() if machine is None or latency.kind == "emulated" else system.examine(machine)),
        ),
        complete=measurement.complete,
        error=measurement.error,
        system=machine,
    )


def _timed_layers(project: Project, measurement: Measurement) -> tuple[Layer, ...]:
    if not measurement.layers:
        return ()
    model, graph, clock_hz = project.model, project.graph, project.board.cpu.clock_hz
    given = {node.index: node for node in model.nodes}
    total = sum(timed.latency for timed in measurement.layers)
    # Of what a MAC takes, instructions or cycles, so many are one unit of the latency.
    latency = measurement.latency
    each = 1.0 if latency.unit != "us" else clock_hz / 1e6 if latency.kind == "measured" else 0.0
    layers: list[Layer] = []
    for timed in measurement.layers:
        node = given[graph.nodes[timed.index].index]
        macs = ops.get(node).macs(model, node)
        layers.append(
            Layer(
                index=node.index,
                op=node.op,
                name=node.name,
                shape=model.tensors[node.outputs[0]].shape,
                macs=macs,
                latency=timed.latency,
                share=round(timed.latency / total, 4) if total else 0.0,
                per_mac=round(timed.latency * each / macs, 3) if macs and each else None,
                kernels=tuple(call.step.kernel for call in project.plan.calls if call.node == timed.index),
            )
        )
    return tuple(layers)


def to_json(report: Report) -> Mapping[str, object]:
    """The report under schema 1. Keys may be added to a schema, never removed or given another meaning."""
    latency = report.latency
    content: dict[str, object] = {
        "schema": SCHEMA,
        "complete": report.complete,
        "error": None if report.error is None else errors.to_json(report.error),
        "model": asdict(report.model),
        "board": report.board,
        "engine": report.engine,
        "optimize": report.optimize,
        "microwright_version": report.microwright_version,
        "toolchain": report.toolchain,
        "latency": {
            "kind": latency.kind,
            "unit": latency.unit,
            "runs": latency.runs,
            "min": latency.min,
            "median": latency.median,
            "p95": latency.p95,
            "max": latency.max,
            "first": latency.first,
            "first_since_boot": latency.first_since_boot,
            "samples": list(latency.samples),
            "inputs": list(latency.inputs),
            "timer": None if latency.timer is None else asdict(latency.timer),
        },
        "memory": asdict(report.memory),
        "footprint": footprint.to_json(report.footprint),
        "layers": [asdict(layer) for layer in report.layers],
        "agreement": None if report.agreement is None else asdict(report.agreement),
        "warnings": [asdict(caution) for caution in report.cautions],
    }
    if report.accuracy is not None:
        content["accuracy"] = report.accuracy
    if report.scores is not None:
        content["scores"] = asdict(report.scores)
    if report.system is not None:
        content["system"] = system.to_json(report.system)
    if report.estimated is not None:
        content["estimated"] = asdict(report.estimated)
    return content


def write(report: Report, path: Path) -> None:
    """Write the report as JSON, whole or not at all. Raises OutputError."""
    text = json.dumps(to_json(report), indent=2, allow_nan=False)
    _output.write(path, text.encode() + b"\n")


def require_agreement(
    agreement: Agreement | None,
    where: str,
    hint: str = "this is a bug of Microwright or of the compiler; please report it with the model",
) -> None:
    """Raise MismatchError where outputs, computed by what `where` names, differ from the reference's.

    A difference from what only stands in for the reference is shown, but is no error, and neither is one that
    the model's arithmetic leaves open.
    """
    if agreement is None or agreement.tolerance is not None:
        return
    if agreement.mismatched_bytes and STAND_IN not in agreement.reference:
        raise MismatchError(
            f"{agreement.mismatched_bytes} of {agreement.compared_bytes} output bytes of {where} differ from "
            f"{agreement.reference}, by up to {agreement.max_difference}",
            hint,
        )


def short_name(name: str) -> str:
    """What a table shows of a node's name: the first of those that the converter joined by semicolons."""
    return name.partition(";")[0][:60]


def of_outputs(agreement: Agreement) -> str:
    """What a line says of the outputs of a model that has several: those that differ, or all."""
    if len(agreement.outputs) < 2:
        return ""
    named = [each.name for each in agreement.outputs if each.mismatched_bytes]
    names = ", ".join(short_name(name) for name in named or [each.name for each in agreement.outputs])
    return f"; {'differing' if named else 'all'} outputs: {names}"
