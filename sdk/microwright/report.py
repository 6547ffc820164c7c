"""The result of a measurement: as JSON for other tools (schema 1), as tables for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from microwright import __version__, _output, costs, ops
from microwright import latency as latencies
from microwright.accuracy import Scores
from microwright.build import Image
from microwright.costs import Estimate
from microwright.coverage import Caution
from microwright.errors import MismatchError
from microwright.latency import Latency, Timer
from microwright.measure import Measurement
from microwright.project import Project
from microwright.target import Optimize
from microwright.verify import STAND_IN, Agreement

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA = 1

# A terminal has room for so many columns of a confusion matrix.
_MAX_SHOWN = 16


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
    cannot tell.

    `stack_bytes` is what an inference uses. `ram_total_bytes` is the arena, the other variables and the
    deepest stack since start. `code_bytes` is all in flash that is neither weights nor other constants of
    the model.
    """

    arena_bytes: int
    stack_bytes: int | None
    static_ram_bytes: int
    ram_total_bytes: int | None
    ram_limit_bytes: int | None
    code_bytes: int
    weights_bytes: int
    flash_total_bytes: int
    flash_limit_bytes: int | None


@dataclass(frozen=True)
class Layer:
    """A node of the model as it was given, and the time that it took in the unit of the report's latency.

    `shape` is that of its first output, `share` its part of all layers' time, `per_mac` how many instructions
    (emulated) or cycles (measured) a multiply-accumulate took, None where it has none or the core's clock is
    not known. `kernels` computed it. A node that a graph pass removed has no time and is not listed.
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
    """One measurement. `agreement` is None where no reference interpreter is installed, `scores` where no
    labels were given that outputs can be held against, `estimated` where the latency is not emulated or the
    core is not known. `cautions` say what speaks against trusting the model. `complete` is false where the
    measurement ended before its end: the report is of the runs so far.
    """

    model: ModelFacts
    board: str
    engine: str
    optimize: Optimize
    microwright_version: str
    toolchain: str
    latency: Latency
    memory: Memory
    layers: tuple[Layer, ...]
    agreement: Agreement | None
    scores: Scores | None
    estimated: Estimate | None = None
    cautions: tuple[Caution, ...] = ()
    complete: bool = True

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
    latency = measurement.latency
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
            arena_bytes=project.arena_bytes,
            stack_bytes=measurement.stack_bytes,
            static_ram_bytes=image.static_ram_bytes,
            ram_total_bytes=None if peak is None else project.arena_bytes + image.static_ram_bytes + peak,
            ram_limit_bytes=board.ram.bytes if board.ram else None,
            code_bytes=image.code_bytes,
            weights_bytes=image.weights_bytes,
            flash_total_bytes=image.flash_total_bytes,
            flash_limit_bytes=board.flash.bytes if board.flash else None,
        ),
        layers=_timed_layers(project, measurement),
        agreement=agreement,
        scores=scores,
        estimated=costs.of_count(latency.median, board.cpu.core, board.cpu.clock_hz)
        if latency.kind == "emulated"
        else None,
        cautions=(*cautions, *latencies.examine(latency, repeatable=not graph.streams)),
        complete=measurement.complete,
    )


def _timed_layers(project: Project, measurement: Measurement) -> tuple[Layer, ...]:
    if not measurement.layers:
        return ()
    model, graph, clock_hz = project.model, project.graph, project.board.cpu.clock_hz
    given = {node.index: node for node in model.nodes}
    total = sum(timed.latency for timed in measurement.layers)
    # Of what a MAC takes, instructions or cycles, so many are one unit of the latency.
    each = 1.0 if measurement.latency.kind == "emulated" else clock_hz / 1e6
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
        "layers": [asdict(layer) for layer in report.layers],
        "agreement": None if report.agreement is None else asdict(report.agreement),
        "warnings": [asdict(caution) for caution in report.cautions],
    }
    if report.accuracy is not None:
        content["accuracy"] = report.accuracy
    if report.scores is not None:
        content["scores"] = asdict(report.scores)
    if report.estimated is not None:
        content["estimated"] = asdict(report.estimated)
    return content


def write(report: Report, path: Path) -> None:
    """Write the report as JSON, whole or not at all. Raises OutputError."""
    text = json.dumps(to_json(report), indent=2, allow_nan=False)
    _output.write(path, text.encode() + b"\n")


def require_agreement(agreement: Agreement | None, where: str) -> None:
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
            "this is a bug of Microwright or of the compiler; please report it with the model",
        )


def render(report: Report, console: Console) -> None:
    """Print the report as tables."""
    from rich import box
    from rich.table import Table

    model, latency, memory = report.model, report.latency, report.memory
    engine = f"engine {report.engine} ({report.optimize})"
    console.print(f"{model.name} on {report.board}, {engine}, {report.toolchain}")
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    table.add_row(f"latency, {latency.kind}", f"{_number(latency.median)} {latency.unit}", _spread(latency))
    if latency.first is not None:
        when = "since boot" if latency.first_since_boot else "of this session; the device had run before"
        table.add_row("  first run", f"{_number(latency.first)} {latency.unit}", when)
    if timer := latency.timer:
        table.add_row("  timer", timer.counter, _timer(timer))
    if estimated := report.estimated:
        clock = f"{estimated.clock_hz / 1e6:g} MHz; {estimated.source}"
        table.add_row(
            "latency, estimated", f"{estimated.value:,} cycles", f"{estimated.ms:,.1f} ms at {clock}"
        )
    ram, flash = memory.ram_total_bytes, memory.flash_total_bytes
    table.add_row("RAM", _bytes(ram), _share(ram, memory.ram_limit_bytes))
    table.add_row("  arena", _bytes(memory.arena_bytes), "tensors, state and scratch of the model")
    table.add_row("  stack", _bytes(memory.stack_bytes), "of an inference")
    table.add_row("  static", _bytes(memory.static_ram_bytes), "variables without the arena")
    table.add_row("flash", _bytes(flash), _share(flash, memory.flash_limit_bytes))
    table.add_row("  code", _bytes(memory.code_bytes), "and all else that is not the model")
    table.add_row("  weights", _bytes(memory.weights_bytes), "and other constants of the model")
    table.add_row("agreement", *_agreement(report.agreement))
    if report.scores is not None:
        _add_scores(table, report.scores)
    if model.ranges:
        table.add_row("ranges", "", model.ranges)
    console.print(table)
    if report.scores is not None and report.scores.confusion:
        console.print(_confusion(report.scores))
    if report.layers:
        console.print(_layers(report))


def _add_scores(table: Table, scores: Scores) -> None:
    if scores.accuracy is not None:
        table.add_row("accuracy", f"{scores.accuracy:.2%}", f"of {scores.samples:,} inputs, on the device")
    what = "of the error between input and output" if scores.task == "anomalies" else "on the device"
    if len(scores.classes) > 2:
        what = "mean of each class against the rest, on the device"
    if scores.auc is not None:
        table.add_row("AUC", f"{scores.auc:.4f}", what)


def _confusion(scores: Scores) -> Table:
    """Rows are labels, columns what the device names; classes that neither has are left out."""
    from rich import box
    from rich.table import Table

    shown = [each for each in scores.classes if each.samples or each.named]
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("label", overflow="ellipsis", no_wrap=True)
    narrow = len(shown) <= _MAX_SHOWN
    for each in shown if narrow else ():
        table.add_column(each.name[:8] or str(each.index), justify="right", no_wrap=True)
    for title in ("inputs", "recall", "precision", "AUC"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in shown:
        row = scores.confusion[each.index]
        table.add_row(
            each.name[:20] or str(each.index),
            *(f"{row[other.index]:,}" if row[other.index] else "" for other in shown if narrow),
            f"{each.samples:,}",
            *("" if part is None else f"{part:.1%}" for part in (each.recall, each.precision)),
            "" if each.auc is None else f"{each.auc:.4f}",
        )
    return table


def _layers(report: Report) -> Table:
    from rich import box
    from rich.table import Table

    unit = "instructions" if report.latency.kind == "emulated" else "cycles"
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("layer", "MACs", report.latency.unit, "share", f"{unit}/MAC"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("op", "output", "kernel"):
        table.add_column(title, no_wrap=True)
    table.add_column("name", overflow="ellipsis", no_wrap=True)
    for layer in report.layers:
        table.add_row(
            str(layer.index),
            f"{layer.macs:,}",
            _number(layer.latency),
            f"{layer.share:.1%}",
            "" if layer.per_mac is None else f"{layer.per_mac:.2f}",
            layer.op,
            "x".join(str(size) for size in layer.shape),
            ", ".join(dict.fromkeys(layer.kernels)),
            short_name(layer.name),
        )
    total = sum(layer.latency for layer in report.layers)
    whole = report.latency.median
    share = f"{total / whole:.1%} of the median" if whole else ""
    table.add_section()
    table.add_row("all", f"{sum(layer.macs for layer in report.layers):,}", _number(total), "", "", share)
    return table


def short_name(name: str) -> str:
    """What a table shows of a node's name: the first of those that the converter joined by semicolons."""
    return name.partition(";")[0][:60]


def _agreement(agreement: Agreement | None) -> tuple[str, str]:
    if agreement is None:
        return "not checked", "no reference interpreter is installed: pip install 'microwright[verify]'"
    verdict = f"{agreement.mismatched_bytes:,} bytes differ" if agreement.mismatched_bytes else "exact"
    detail = f"{agreement.compared_bytes:,} bytes of {agreement.inputs} inputs, against {agreement.reference}"
    if agreement.mismatched_bytes:
        detail += f", by up to {agreement.max_difference}"
    if agreement.tolerance is not None:
        detail += f", all within {agreement.tolerance:g} of the largest output"
    return verdict, detail + of_outputs(agreement)


def of_outputs(agreement: Agreement) -> str:
    """What a line says of the outputs of a model that has several: those that differ, or all."""
    if len(agreement.outputs) < 2:
        return ""
    named = [each.name for each in agreement.outputs if each.mismatched_bytes]
    names = ", ".join(short_name(name) for name in named or [each.name for each in agreement.outputs])
    return f"; {'differing' if named else 'all'} outputs: {names}"


def _spread(latency: Latency) -> str:
    if latency.runs == 1:
        return "one run"
    low, p95, high = _number(latency.min), _number(latency.p95), _number(latency.max)
    return f"median of {latency.runs} runs; min {low}, p95 {p95}, max {high}"


def _timer(timer: Timer) -> str:
    text = f"{timer.hz / 1e6:g} MHz; {timer.overhead_ticks:,} ticks of its own are subtracted"
    if timer.clock_ratio is None:
        return text
    slowest, fastest = timer.clock_ratio
    return f"{text}; runs at {slowest:.3f} to {fastest:.3f} of the host's clock"


def _number(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}".removesuffix(".0")


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,} bytes"


def _share(used: int | None, limit: int | None) -> str:
    if used is None or limit is None:
        return ""
    return f"{used / limit:.1%} of {limit:,}"
