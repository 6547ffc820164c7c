"""tools/bench: its numbers are the emulator's, whatever the models, and the page shows what it measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from microwright import board, costs
from microwright.errors import InputError, MicrowrightError
from tests.support.firmware import convolutional
from tests.support.tools import TOOLS, imported, written

MODULES = ("anchors", "bench", "performance_page", "instruction_profile", "pages")


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    with imported(*MODULES) as modules:
        yield modules


@pytest.fixture(scope="module")
def measured(tools: dict[str, ModuleType]) -> Any:
    return tools["bench"].run(convolutional(), board.load("mps2-an386"))


def test_the_page_shows_the_numbers_that_were_measured(tools: dict[str, ModuleType]) -> None:
    page = tools["performance_page"]
    before, shown = written(page, tools["pages"])
    assert "tools/bench --write-docs" in before
    numbers = json.loads(page.NUMBERS.read_text())
    assert shown == page.markdown(numbers)
    assert len(numbers["results"]) >= 20
    for result in numbers["results"]:
        assert result["agreement"]["mismatched_bytes"] == 0
        assert result["latency"]["kind"] == "emulated"
        assert result["estimated"]["kind"] == "estimated"
        assert result["memory"]["stack_bytes"] <= 1000


def test_what_is_counted_is_what_the_timer_says(tools: dict[str, ModuleType], measured: Any) -> None:
    counted = tools["instruction_profile"].instructions
    # What starting and stopping the timer takes is not the same for both.
    assert counted(measured.profile.whole) == pytest.approx(measured.report.latency.median, abs=20)
    assert len(measured.profile.layers) == len(measured.report.layers)
    for layer, runs in zip(measured.report.layers, measured.profile.layers, strict=True):
        assert counted(runs) == pytest.approx(layer.latency, abs=20)
    assert measured.report.agreement.mismatched_bytes == 0


def test_each_layer_is_in_its_kernel(tools: dict[str, ModuleType], measured: Any) -> None:
    names = tools["instruction_profile"].by_function
    whole = names(measured.profile.whole)
    assert "mw_model_invoke" in whole
    assert not {"mw_port_timer_start", "mw_port_timer_ticks"} & whole.keys()
    kernels = [kernel for layer in measured.report.layers for kernel in layer.kernels]
    assert kernels
    for layer, runs in zip(measured.report.layers, measured.profile.layers, strict=True):
        for kernel in layer.kernels:
            assert f"mw_{kernel}" in names(runs)


def test_jumps_are_counted(measured: Any) -> None:
    last = {run: run.lines[-1].instruction.mnemonic for run in measured.profile.whole}
    calls = [run for run, mnemonic in last.items() if mnemonic == "bl"]
    assert calls
    assert all(run.jumps == run.runs for run in calls)
    conditional = [run for run, mnemonic in last.items() if mnemonic in ("bne.n", "bne.w", "bge.n", "blt.n")]
    assert 0 < sum(run.jumps for run in conditional) < sum(run.runs for run in conditional)


def test_constants_that_are_read_are_counted(measured: Any) -> None:
    read = sum(run.constant_bytes for run in measured.profile.whole)
    assert read >= measured.report.model.weights_bytes * 0.9
    runs = [run.block for run in measured.profile.whole]
    free = costs.estimate([costs.Block(b.instructions, b.runs, b.jumps) for b in runs], "cortex-m4", 1)
    assert costs.estimate(runs, "cortex-m4", 1).value > free.value > measured.report.latency.median


def test_a_row_says_what_its_numbers_are(tools: dict[str, ModuleType], measured: Any) -> None:
    name = measured.report.model.name
    ours = int(measured.report.latency.median)
    counts = {("instructions", name, "m4"): 10 * ours, ("reference_instructions", name, "m4"): 30 * ours}
    row = tools["bench"].to_json(measured, tools["anchors"].Anchors((), {}, counts))
    assert (row["latency"]["kind"], row["latency"]["unit"]) == ("emulated", "instructions")
    assert (row["estimated"]["kind"], row["estimated"]["unit"]) == ("estimated", "cycles")
    assert row["estimated"]["value"] != row["latency"]["value"]
    assert row["estimated"]["ms"] == pytest.approx(row["estimated"]["value"] / 25_000, abs=1e-3)
    assert row["memory"]["stack_bytes"] <= 1000
    assert row["anchor"] == {"instructions": 10 * ours, "reference_instructions": 30 * ours}
    speed, memory = tools["performance_page"].tables({"results": [row]})
    assert speed.rows[0][:2] == (name, "M4")
    assert (speed.rows[0][4], speed.rows[0][6]) == ("10.00", "30.00")
    assert speed.rows[0][-1] == "exact"
    assert memory.rows[0][3:5] == ("", "")
    json.dumps(row, allow_nan=False)


def run_main(
    tools: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path
) -> int | str | None:
    """Exit code."""
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
    try:
        tools["bench"].main()
    except SystemExit as ended:
        return ended.code
    return 0


def test_any_model_is_measured_and_a_broken_one_hinders_no_other(
    tools: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "any.tflite").write_bytes(convolutional().flatbuffer)
    (models / "broken.tflite").write_bytes(b"no model")
    options = ("--models", models, "--board", "mps2-an385", "--json")
    assert run_main(tools, monkeypatch, *options, tmp_path / "a.json") == InputError.exit_code
    out, err = capsys.readouterr()
    assert "any     M3" in out
    assert "broken.tflite on mps2-an385: " in err
    assert run_main(tools, monkeypatch, "any", *options, tmp_path / "b.json") == 0
    first, second = ((tmp_path / name).read_bytes() for name in ("a.json", "b.json"))
    assert first == second
    assert [result["model"]["name"] for result in json.loads(first)["results"]] == ["any"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--models", "nowhere"), "there is no .tflite in nowhere"),
        (("kwz",), "no model 'kwz'"),
        (("--board", "host"), "board host is not emulated"),
        (("--board", "mps9"), "mps9"),
        (("--anchors", "missing.json"), "missing.json cannot be read"),
    ],
)
def test_wrong_arguments_are_explained(
    tools: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    (tmp_path / "kws.tflite").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    folder = () if "--models" in arguments else ("--models", tmp_path)
    assert run_main(tools, monkeypatch, *arguments, *folder) not in (0, 1)
    lines = capsys.readouterr().err.splitlines()
    assert says in lines[0]
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"instructions": 5}',
        '{"instructions": {"kws": {"m4": "many"}}}',
        '{"reference_instructions": {"kws": {"m4": true}}}',
        '{"code_bytes": {"a": 1}}',
        '{"models": {"kws": 1}}',
        '{"what": ["kws"]}',
    ],
)
def test_wrong_anchors_are_refused(tools: dict[str, ModuleType], tmp_path: Path, text: str) -> None:
    (tmp_path / "anchors.json").write_text(text)
    with pytest.raises(InputError):
        tools["anchors"].read(tmp_path / "anchors.json")


def test_anchors_are_of_a_file_not_of_a_name(tools: dict[str, ModuleType], tmp_path: Path) -> None:
    file = tmp_path / "anchors.json"
    file.write_text('{"models": {"kws": "ab"}, "arena_bytes": {"kws": {"m4": 5}, "own": {"m4": 6}}}')
    found = tools["anchors"].read(file)
    assert found.of("kws", "ab", "cortex-m4") == {"arena_bytes": 5}
    assert found.of("kws", "cd", "cortex-m4") == {}
    assert found.of("own", "cd", "cortex-m4") == {"arena_bytes": 6}
    assert found.of("own", "cd", "cortex-m3") == {}


def test_the_anchors_of_the_checkout_say_what_they_are(tools: dict[str, ModuleType]) -> None:
    found = tools["anchors"].read(None)
    assert "emulated" in found.what[0]
    for name, sha256 in found.models.items():
        assert found.of(name, sha256, "cortex-m0plus").keys() >= {"instructions", "reference_instructions"}


def test_counts_of_another_image_are_refused(tools: dict[str, ModuleType], tmp_path: Path) -> None:
    profile = tools["instruction_profile"]
    line = profile.Line(0x100, "f", costs.Instruction("nop", ""))
    lines = {0x100: (line, 0x102), 0x102: (line, 0x104)}
    (run,) = profile._runs(lines, "100 102 2 5 1 0\n100 102 2 3 2 8\n")
    assert (run.instructions, run.runs, run.jumps, run.constant_bytes) == (16, 8, 3, 8)
    with pytest.raises(MicrowrightError, match="3 instructions ran at 0x100"):
        profile._runs(lines, "100 104 3 1 0 0\n")


def test_the_plugin_compiles_without_a_warning(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    assert compiler is not None
    warnings = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    source = str(TOOLS / "count_blocks.c")
    subprocess.run([compiler, *warnings, "-c", source, "-o", str(tmp_path / "plugin.o")], check=True)
