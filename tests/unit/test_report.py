"""The report: schema 1 as other tools read it, and what a terminal shows."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from microwright import costs, report, terminal
from microwright.accuracy import ClassScores, Scores
from microwright.errors import MismatchError, OutputError
from microwright.footprint import Footprint, Region, Section, Symbol
from microwright.latency import Latency, Timer
from microwright.report import Layer, Memory, ModelFacts, Report
from microwright.verify import Agreement

_SCORES = Scores(
    "classes",
    40,
    0.975,
    0.9875,
    (
        ClassScores(0, "cat", 20, 21, 20, 20 / 21, 1.0, 0.9875),
        ClassScores(1, "[bold]dog", 20, 19, 19, 1.0, 0.95, 0.9875),
    ),
    ((20, 0), (1, 19)),
)

_REPORT = Report(
    model=ModelFacts("net", "ab" * 32, 1234567, 4321, ranges="calibrated on 300 samples"),
    board="mps2-an386",
    engine="aot",
    optimize="size",
    microwright_version="0.1.0",
    toolchain="GCC 12.2.1 20221205",
    latency=Latency(
        "emulated",
        "instructions",
        (300, 100, 200, 400),
        (0, 1, 2, 3),
        first=410,
        first_since_boot=True,
        timer=Timer("systick", 25_000_000, 17),
    ),
    memory=Memory(
        arena_bytes=16000,
        arena_used_bytes=15990,
        stack_bytes=188,
        stack_peak_bytes=292,
        static_ram_bytes=752,
        heap_bytes=0,
        ram_total_bytes=17044,
        ram_limit_bytes=65536,
        code_bytes=9000,
        weights_bytes=21000,
        flash_total_bytes=30000,
        flash_limit_bytes=60000,
    ),
    footprint=Footprint(
        flash={"code": 8000, "weights": 21000, "constants": 300, "c_library": 690, "padding": 10},
        ram={"arena": 16000, "line": 500, "variables": 252, "stack": 4096},
        regions=(Region("flash", 0, 60000, 30004, 4),),
        sections=(Section(".text", 9000, {"code": 8000, "c_library": 690, "padding": 310}, 12),),
        origins={"app": 30000},
        symbols=(Symbol("mw_arena", 16000, ".bss", "app"),),
        allocators=(),
    ),
    layers=(
        Layer(
            0,
            "CONV_2D",
            "a/very/long;name;that;was;joined",
            (1, 2, 3),
            1200000,
            75,
            0.75,
            0.5,
            ("conv_2d_s8",),
        ),
        Layer(1, "SOFTMAX", "[bold]b", (1, 9), 0, 25, 0.25, None, ("softmax_s8",)),
    ),
    agreement=Agreement("tflite_micro 1", 4, 40, 0, 0),
    scores=_SCORES,
)


def _shown(shown: Report) -> str:
    written = io.StringIO()
    terminal.render(shown, Console(file=written, width=160, markup=False))
    return written.getvalue()


def test_the_json_is_schema_1() -> None:
    assert report.to_json(_REPORT) == {
        "schema": 1,
        "complete": True,
        "error": None,
        "model": {
            "name": "net",
            "sha256": "ab" * 32,
            "macs": 1234567,
            "weights_bytes": 4321,
            "calibrated_randomly": False,
            "ranges": "calibrated on 300 samples",
        },
        "board": "mps2-an386",
        "engine": "aot",
        "optimize": "size",
        "microwright_version": "0.1.0",
        "toolchain": "GCC 12.2.1 20221205",
        "latency": {
            "kind": "emulated",
            "unit": "instructions",
            "runs": 4,
            "min": 100,
            "median": 250.0,
            "p95": 400,
            "max": 400,
            "first": 410,
            "first_since_boot": True,
            "samples": [300, 100, 200, 400],
            "inputs": [0, 1, 2, 3],
            "timer": {
                "counter": "systick",
                "hz": 25_000_000,
                "overhead_ticks": 17,
                "clock_ratio": None,
            },
        },
        "memory": {
            "arena_bytes": 16000,
            "arena_used_bytes": 15990,
            "stack_bytes": 188,
            "stack_peak_bytes": 292,
            "static_ram_bytes": 752,
            "heap_bytes": 0,
            "ram_total_bytes": 17044,
            "ram_limit_bytes": 65536,
            "code_bytes": 9000,
            "weights_bytes": 21000,
            "flash_total_bytes": 30000,
            "flash_limit_bytes": 60000,
        },
        "footprint": {
            "flash_bytes": 30000,
            "ram_bytes": 20848,
            "heap_bytes": 0,
            "flash": {"code": 8000, "weights": 21000, "constants": 300, "c_library": 690, "padding": 10},
            "ram": {"arena": 16000, "line": 500, "variables": 252, "stack": 4096},
            "regions": ({"name": "flash", "origin": 0, "bytes": 60000, "used_bytes": 30004, "gap_bytes": 4},),
            "sections": (
                {
                    "name": ".text",
                    "bytes": 9000,
                    "kinds": {"code": 8000, "c_library": 690, "padding": 310},
                    "unnamed_bytes": 12,
                },
            ),
            "origins": {"app": 30000},
            "symbols": ({"name": "mw_arena", "bytes": 16000, "section": ".bss", "origin": "app"},),
            "allocators": (),
        },
        "layers": [
            {
                "index": 0,
                "op": "CONV_2D",
                "name": "a/very/long;name;that;was;joined",
                "shape": (1, 2, 3),
                "macs": 1200000,
                "latency": 75,
                "share": 0.75,
                "per_mac": 0.5,
                "kernels": ("conv_2d_s8",),
            },
            {
                "index": 1,
                "op": "SOFTMAX",
                "name": "[bold]b",
                "shape": (1, 9),
                "macs": 0,
                "latency": 25,
                "share": 0.25,
                "per_mac": None,
                "kernels": ("softmax_s8",),
            },
        ],
        "agreement": {
            "reference": "tflite_micro 1",
            "inputs": 4,
            "compared_bytes": 40,
            "mismatched_bytes": 0,
            "max_difference": 0,
            "tolerance": None,
            "outputs": (),
        },
        "warnings": [],
        "accuracy": 0.975,
        "scores": {
            "task": "classes",
            "samples": 40,
            "accuracy": 0.975,
            "auc": 0.9875,
            "classes": (
                {
                    "index": 0,
                    "name": "cat",
                    "samples": 20,
                    "named": 21,
                    "correct": 20,
                    "precision": 20 / 21,
                    "recall": 1.0,
                    "auc": 0.9875,
                },
                {
                    "index": 1,
                    "name": "[bold]dog",
                    "samples": 20,
                    "named": 19,
                    "correct": 19,
                    "precision": 1.0,
                    "recall": 0.95,
                    "auc": 0.9875,
                },
            ),
            "confusion": ((20, 0), (1, 19)),
        },
    }


def test_what_was_not_given_or_not_checked_is_not_claimed() -> None:
    content = report.to_json(replace(_REPORT, scores=None, agreement=None))
    assert not {"accuracy", "scores"} & content.keys()
    assert content["agreement"] is None


def test_an_estimate_stands_beside_the_latency_and_says_what_it_is() -> None:
    estimated = costs.of_count(250.0, "cortex-m4", 25_000_000)
    assert estimated is not None
    made = replace(_REPORT, estimated=estimated)
    content = report.to_json(made)
    assert content["latency"] == report.to_json(_REPORT)["latency"]
    assert content["estimated"] == {
        "kind": "estimated",
        "unit": "cycles",
        "value": estimated.value,
        "ms": 0.016,
        "clock_hz": 25_000_000,
        "core": "cortex-m4",
        "source": estimated.source,
    }
    shown = _shown(made)
    assert "latency, estimated" in shown
    assert f"{estimated.value} cycles" in shown
    assert "latency, estimated" not in _shown(_REPORT)


def test_the_file_is_the_json_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "made" / "report.json"
    report.write(_REPORT, path)
    report.write(replace(_REPORT, board="host"), path)
    assert json.loads(path.read_text())["board"] == "host"
    assert [entry.name for entry in path.parent.iterdir()] == ["report.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        report.write(_REPORT, tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("old")
    with pytest.raises(OutputError, match="cannot be written"):
        report.write(_REPORT, blocked / "report.json")
    assert blocked.read_text() == "old"
    broken = replace(_REPORT, scores=replace(_SCORES, accuracy=float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        report.write(broken, blocked)
    assert blocked.read_text() == "old"


def test_emulated_cycles_are_no_instructions() -> None:
    shown = _shown(replace(_REPORT, latency=replace(_REPORT.latency, unit="cycles")))
    assert "250 cycles" in shown and "cycles/MAC" in shown and "instructions" not in shown


def test_the_terminal_shows_the_numbers_with_kind_and_unit() -> None:
    shown = _shown(_REPORT)
    for part in (
        "net on mps2-an386, engine aot (size), GCC 12.2.1",
        "latency, emulated",
        "250 instructions",
        "median of 4 runs; min 100, p95 400, max 400",
        "17,044 bytes",
        "15,990 were written",
        "the deepest of 4,096 reserved; an inference took 188",
        "buffer of the serial link",
        "252 bytes",
        "proved: nothing is linked that hands out memory",
        "690 bytes",
        "26.0% of 65,536",
        "50.0% of 60,000",
        "exact",
        "40 bytes of 4 inputs, against tflite_micro 1",
        "97.50%",
        "1,200,000",
        "75.0%",
        "instructions/MAC",
        "0.50",
        "1x2x3",
        "conv_2d_s8",
        "40.0% of the median",
        "410 instructions",
        "since boot",
        "systick",
        "25 MHz; 17 ticks of its own are subtracted",
        "[bold]b",
    ):
        assert part in shown
    assert "that;was;joined" not in shown


def test_the_terminal_says_what_is_not_known() -> None:
    memory = replace(
        _REPORT.memory,
        arena_used_bytes=None,
        stack_bytes=None,
        stack_peak_bytes=None,
        heap_bytes=None,
        ram_total_bytes=None,
        ram_limit_bytes=None,
        flash_limit_bytes=None,
    )
    footprint = replace(_REPORT.footprint, allocators=None)
    latency = Latency("measured", "us", (1234.5,))
    again = replace(latency, first=99.5, timer=Timer("dwt", 480_000_000, 3, (0.998, 1.004)))
    assert "of this session; the device had run before" in _shown(replace(_REPORT, latency=again))
    assert "runs at 0.998 to 1.004 of the host's clock" in _shown(replace(_REPORT, latency=again))
    shown = _shown(
        replace(
            _REPORT,
            memory=memory,
            footprint=footprint,
            latency=latency,
            layers=(),
            agreement=None,
            scores=None,
        )
    )
    assert "the operating system has one" in shown
    assert "unknown" in shown
    assert "not checked" in shown
    assert "1,234.5 us" in shown
    assert "one run" in shown
    assert "%" not in shown


def test_a_disagreement_is_shown_and_raised() -> None:
    wrong = Agreement("tflite_micro 1", 4, 40, 3, 17)
    assert "3 bytes differ" in _shown(replace(_REPORT, agreement=wrong))
    with pytest.raises(
        MismatchError, match="3 of 40 output bytes of host differ from tflite_micro 1, by up to 17"
    ):
        report.require_agreement(wrong, "host")
    report.require_agreement(_REPORT.agreement, "host")
    report.require_agreement(None, "host")


def test_the_confusion_matrix_says_what_rows_and_columns_are() -> None:
    lines = [line.strip() for line in _shown(_REPORT).splitlines()]
    assert any("rows: labels, columns: what the device names" in line for line in lines)
    cat, dog = (
        next(line.split() for line in lines if line.startswith(name)) for name in ("cat", "[bold]dog")
    )
    # Named so, samples, recall, precision, AUC; what is zero is left blank.
    assert cat == ["cat", "20", "20", "100.0%", "95.2%", "0.9875"]
    assert dog == ["[bold]dog", "1", "19", "20", "95.0%", "100.0%", "0.9875"]
