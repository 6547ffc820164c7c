"""A report as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microwright.accuracy import Scores
from microwright.agent import Facts
from microwright.footprint import Footprint
from microwright.latency import Latency, Timer
from microwright.report import Memory, Report, of_outputs, short_name
from microwright.system import System
from microwright.verify import Agreement

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A terminal has room for so many columns of a confusion matrix.
_MAX_SHOWN = 16

# What a memory holds, by the kinds of a footprint.
FLASH = {
    "code": "of kernels, application and port",
    "weights": "and other constants of the model",
    "constants": "of everything else",
    "c_library": "of the compiler's, too",
    "initial_values": "of variables",
    "padding": "of alignment",
}
RAM = {
    "arena": "tensors, state and scratch of the model",
    "stack": "as reserved",
    "line": "buffer of the serial link",
    "variables": "all others",
    "code": "copied there at start, from flash",
    "c_library": "variables of it",
    "padding": "of alignment",
}


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
    if report.system is not None:
        _add_system(table, report.system, latency.kind)
    if report.footprint.flash:  # it is compiled
        _add_ram(table, memory, report.footprint)
        _add_flash(table, report)
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


def _add_system(table: Table, system: System, kind: str) -> None:
    """The machine: what it is, whether its times are valid, its state before and after."""
    for name, series in (("warm", system.warm), ("sustained", system.sustained)):
        if series is not None:
            p50, p95, p99 = (f"{series.percentile(percent):,.1f}" for percent in (50, 95, 99))
            detail = f"p50 of {len(series.samples):,} runs back to back, {kind}; p95 {p95}, p99 {p99}"
            table.add_row(f"  {name}", f"{p50} us", detail)
    first, last = system.facts[0], system.facts[-1]
    if first.init_ns is not None:
        table.add_row("  initialisation", f"{first.init_ns / 1e3:,.1f} us", f"of the model, {kind}")
    valid = {True: "valid", False: "INVALID", None: "not known"}[system.valid]
    why = ", ".join(system.invalid) or "no throttling" if system.valid is not None else "it does not tell"
    table.add_row("system", valid, why)
    what = (first.board_model, first.revision, first.os, first.kernel, first.arch)
    table.add_row("  board", "", ", ".join(text for text in what if text))
    runtime = (first.runtime, first.runtime_version, first.python and f"Python {first.python}")
    threads = None if first.threads is None else f"{first.threads} threads"
    xnnpack = None if first.xnnpack is None else f"XNNPACK {'on' if first.xnnpack else 'off'}"
    cpus = None if first.affinity is None else f"CPUs {', '.join(map(str, first.affinity))}"
    parts = (" ".join(text for text in runtime if text), threads, xnnpack, cpus)
    table.add_row("  runtime", "", ", ".join(text for text in parts if text))
    table.add_row("  before, after", "", f"{_state(first)}; {_state(last)}")
    table.add_row(
        "  memory", size(system.memory_over_baseline_bytes), "peak above what the runtime had before"
    )


def _state(facts: Facts) -> str:
    hz = None if not facts.frequency_hz else f"{max(facts.frequency_hz) / 1e6:,.0f} MHz"
    heat = None if facts.temperature_c is None else f"{facts.temperature_c:g} C"
    return ", ".join(text for text in (facts.governor, hz, heat) if text) or "not told"


def heap(footprint: Footprint) -> tuple[str, str]:
    """Whether there is one, and how that is known."""
    if footprint.allocators is None:
        return "unknown", "the operating system has one"
    if footprint.allocators:
        return "linked", ", ".join(footprint.allocators)
    return "none", "proved: nothing is linked that hands out memory"


def _add_ram(table: Table, memory: Memory, footprint: Footprint) -> None:
    """What a measurement found and the image reserves."""
    line, reserved = footprint.ram.get("line", 0), footprint.ram.get("stack")
    used = "" if memory.arena_used_bytes is None else f"; {memory.arena_used_bytes:,} were written"
    table.add_row("RAM", size(memory.ram_total_bytes), share(memory.ram_total_bytes, memory.ram_limit_bytes))
    table.add_row("  arena", size(memory.arena_bytes), f"tensors, state and scratch of the model{used}")
    stack = "the deepest" + (f" of {reserved:,} reserved" if reserved else "")
    if memory.stack_bytes is not None:
        stack += f"; an inference took {memory.stack_bytes:,}"
    table.add_row("  stack", size(memory.stack_peak_bytes), stack)
    table.add_row("  line", size(line), "buffer of the serial link")
    static = None if memory.static_ram_bytes is None else memory.static_ram_bytes - line
    table.add_row("  static", size(static), "other variables")
    table.add_row("  heap", *heap(footprint))


def _add_flash(table: Table, report: Report) -> None:
    flash = report.footprint.flash
    total = report.footprint.flash_bytes
    table.add_row("flash", size(total), share(total, report.memory.flash_limit_bytes))
    for kind, what in FLASH.items():
        if kind in flash:
            table.add_row(f"  {kind.replace('_', ' ')}", size(flash[kind]), what)


def _add_scores(table: Table, scores: Scores) -> None:
    if scores.accuracy is not None:
        table.add_row("accuracy", f"{scores.accuracy:.2%}", f"of {scores.samples:,} inputs, on the device")
    what = "of the error between input and output" if scores.task == "anomalies" else "on the device"
    if len(scores.classes) > 2:
        what = "mean of each class against the rest, on the device"
    if scores.auc is not None:
        table.add_row("AUC", f"{scores.auc:.4f}", what)


def _confusion(scores: Scores) -> Table:
    """Rows are labels, columns what the device names; classes that neither has are left out.

    So are the columns where there are too many for a terminal.
    """
    from rich import box
    from rich.table import Table

    shown = [each for each in scores.classes if each.samples or each.named]
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("label", overflow="ellipsis", no_wrap=True)
    narrow = len(shown) <= _MAX_SHOWN
    if narrow:
        table.title = "rows: labels, columns: what the device names"
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

    unit = "instructions" if report.latency.unit == "instructions" else "cycles"
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


def size(count: int | None) -> str:
    """A number of bytes."""
    return "unknown" if count is None else f"{count:,} bytes"


def share(used: int | None, limit: int | None) -> str:
    """A part of what there is; nothing where there is no limit."""
    if used is None or limit is None:
        return ""
    return f"{used / limit:.1%} of {limit:,}"
