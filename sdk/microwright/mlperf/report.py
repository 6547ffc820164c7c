"""What MLPerf Tiny's modes come to: as JSON for other tools (schema 1), as tables for a terminal."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from microwright import __version__, _output
from microwright.coverage import Caution
from microwright.latency import Timer, about_clock
from microwright.profile import Profile

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
# The benchmark's rules for performance mode.
WINDOWS = 5
WINDOW_S = 10.0


@dataclass(frozen=True)
class Answer:
    """Results of a stimulus: the mean over its windows, and its class."""

    name: str
    label: int
    results: tuple[float, ...]


@dataclass(frozen=True)
class Window:
    """One loop of performance mode: inferences, and the device's microseconds for all of them."""

    inferences: int
    warmups: int
    us: int

    @property
    def per_second(self) -> float:
        """Throughput."""
        return self.inferences * 1e6 / self.us


@dataclass(frozen=True)
class Accuracy:
    """What the answers come to, as the benchmark's runner computes it.

    `top1`, 0 to 1: share of stimuli whose largest result is their class; None where the result is an error,
    or a single one.
    `auc`: of the errors against the classes 0 and 1; of two classes, of the second's share of the results'
    sum; of more, the mean of each class's share against all others. None where one class has no stimulus.
    An answer that has infinities or no numbers is wrong, and of such answers there is no `auc`.
    """

    answers: tuple[Answer, ...]
    top1: float | None
    auc: float | None


@dataclass(frozen=True)
class Performance:
    """Windows of performance mode.

    `median` is the throughput in inferences a second. `emulated_hz` says that the device's time is an
    emulator's, which executes so many of `unit` in a second of it; None where it is measured. `by_rules`:
    five windows, measured, of ten seconds or more each, by a clock that was compared with the host's and
    does not differ. `timer` is what counted the device's time; None where that was not asked for.
    """

    windows: tuple[Window, ...]
    emulated_hz: int | None
    timer: Timer | None = None
    unit: Literal["us", "instructions", "cycles"] = "instructions"

    @property
    def kind(self) -> Literal["measured", "emulated"]:
        """What the numbers are."""
        return "measured" if self.emulated_hz is None else "emulated"

    @property
    def median(self) -> float | None:
        """Inferences a second; None before the first window."""
        return statistics.median(window.per_second for window in self.windows) if self.windows else None

    @property
    def counted(self) -> float | None:
        """Instructions or cycles an inference, where they are emulated; to what microseconds tell."""
        if self.emulated_hz is None or not self.windows:
            return None
        return statistics.median(w.us * self.emulated_hz / 1e6 / w.inferences for w in self.windows)

    @property
    def by_rules(self) -> bool:
        """Whether the windows are as the benchmark asks for."""
        long = all(window.us >= WINDOW_S * 1e6 for window in self.windows)
        compared = self.timer is not None and self.timer.clock_ratio is not None
        right = compared and not self.cautions
        return self.kind == "measured" and long and len(self.windows) == WINDOWS and right

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What speaks against the device's clock."""
        return tuple(about_clock(self.timer))


@dataclass(frozen=True)
class Report:
    """What one mode came to. `complete` is False where it was interrupted."""

    device: str
    board: str
    profile: Profile
    build_id: str
    result: Accuracy | Performance
    complete: bool


def to_json(report: Report) -> Mapping[str, object]:
    """The report for other tools."""
    result = report.result
    about: dict[str, object] = {
        "schema": SCHEMA,
        "microwright_version": __version__,
        "complete": report.complete,
        "device": report.device,
        "board": report.board,
        "model": report.profile.model,
        "build": report.build_id,
    }
    if isinstance(result, Accuracy):
        # A float32 model's results may be infinite or no numbers, which JSON cannot say.
        answers = [
            {**asdict(answer), "results": [x if math.isfinite(x) else None for x in answer.results]}
            for answer in result.answers
        ]
        return about | {"mode": "accuracy", "top1": result.top1, "auc": result.auc, "answers": answers}
    return about | {
        "mode": "performance",
        "kind": result.kind,
        "unit": "inferences/s",
        "median": result.median,
        "instructions_per_second": None,
        "instructions_per_inference": None,
        f"{result.unit}_per_second": result.emulated_hz,
        f"{result.unit}_per_inference": result.counted,
        "by_rules": result.by_rules,
        "timer": None if result.timer is None else asdict(result.timer),
        "cautions": [asdict(caution) for caution in result.cautions],
        "windows": [asdict(window) | {"per_second": window.per_second} for window in result.windows],
    }


def write(report: Report, path: Path) -> None:
    """Write the report as JSON, whole or not at all. Raises OutputError."""
    text = json.dumps(to_json(report), indent=2, allow_nan=False)
    _output.write(path, text.encode() + b"\n")


def render(report: Report, console: Console) -> None:
    """Print the report as a table."""
    from rich import box
    from rich.table import Table

    result = report.result
    console.print(f"{report.profile.model} on {report.board}, MLPerf Tiny")
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    for justify in ("left", "right", "left"):
        table.add_column(no_wrap=True, justify=justify)
    if isinstance(result, Accuracy):
        count = f"of {len(result.answers):,} stimuli, on the device"
        if result.top1 is not None:
            table.add_row("top-1", f"{result.top1:.2%}", count)
        table.add_row("AUC", "unknown" if result.auc is None else f"{result.auc:.4f}", count)
    else:
        for number, window in enumerate(result.windows, 1):
            text = f"{window.inferences:,} inferences in {window.us / 1e6:,.3f} s"
            table.add_row(f"window {number}", f"{window.per_second:,.3f} /s", text)
        if result.median is not None:
            text = "inferences a second"
            if result.counted is not None:
                speed = "" if result.unit == "us" else f" at {result.emulated_hz:,} {result.unit}/s"
                text += f"{speed}; {result.counted:,.0f} {result.unit} an inference"
            table.add_row(f"median, {result.kind}", f"{result.median:,.3f} /s", text)
        rules = f"{WINDOWS} windows of {WINDOW_S:g} s or more, measured by a clock like the host's"
        table.add_row("by the rules", "yes" if result.by_rules else "no", rules)
        for caution in result.cautions:
            table.add_row("caution", "", caution.message)
    console.print(table)
