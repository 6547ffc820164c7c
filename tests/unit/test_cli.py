"""The command line: what it prints, its exit codes, what it leaves behind."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from rich.console import Console

from microwright import board as boards
from microwright import cli, errors, graph, pipeline, verify
from microwright.cli import _progress
from microwright.graph import Array, Graph
from tests.support.firmware import convolutional
from tests.support.small_model import CLASSES, INPUT_SHAPE, small_model
from tests.support.tflite_maker import Maker

_SDK = Path(cli.__file__).resolve().parents[2]
_MAIN = "from microwright.cli import main; main()"


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    logger = logging.getLogger("microwright")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path / "data.npz"
    np.savez(
        path,
        x=rng.normal(size=(7, *INPUT_SHAPE[1:])).astype(np.float32),
        y=rng.integers(0, CLASSES, 7),
    )
    return path


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on the host that was deployed from the small model."""
    folder = tmp_path_factory.mktemp("deployed")
    model = folder / "small.tflite"
    model.write_bytes(small_model())
    assert cli.execute(["deploy", str(model), "--board", "host", "-o", str(folder / "project")]) == 0
    return folder / "project"


def _python(*arguments: str, code: str = _MAIN, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(_SDK)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        **options,
    )


def _assert_error(printed: str, *parts: str) -> None:
    lines = printed.splitlines()
    assert len(lines) == 2, printed
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    for part in parts:
        assert part in lines[0]


def test_help_imports_no_stage() -> None:
    """So that it is there at once."""
    done = _python("--help")
    assert done.returncode == 0 and "deploy" in done.stdout
    loaded = _python(
        "--help",
        code="import sys; from microwright.cli import execute\n"
        "execute(); print(*sys.modules, file=sys.stderr)",
    ).stderr.split()
    assert "click" in loaded
    assert not {"numpy", "rich", "jinja2", "serial", "elftools", "tflite", "tensorflow"} & set(loaded)


def test_every_command_file_is_listed_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py") if not path.stem.startswith("_")}
    assert files == set(cli.COMMANDS)
    for name in cli.COMMANDS:
        assert cli.execute([name, "--help"]) == 0
        assert f"microwright {name}" in capsys.readouterr().out


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["--version"]) == 0
    assert "0.1.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["explode"], ["deploy"], ["deploy", "model.tflite"], ["boards", "--colour"], ["--wrong"]],
)
def test_a_wrong_command_line_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(arguments) == 2
    captured = capsys.readouterr()
    _assert_error(captured.err)
    assert "--help" in captured.err
    assert captured.out == ""


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute([]) in (0, 2)
    captured = capsys.readouterr()
    assert "Usage:" in captured.out + captured.err
    assert "deploy" in captured.out + captured.err


def test_a_model_that_is_not_there_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "project"
    assert cli.execute(["deploy", str(tmp_path / "none.tflite"), "--board", "host", "-o", str(out)]) == 3
    _assert_error(capsys.readouterr().err, "none.tflite")
    assert not out.exists()


def test_a_truncated_model_is_exit_3_and_leaves_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.write_bytes(model.read_bytes()[:600])
    out = tmp_path / "project"
    assert cli.execute(["new", str(model), "--board", "host", "-o", str(out)]) == 3
    _assert_error(capsys.readouterr().err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.tflite"]


def test_an_unknown_board_is_exit_6_with_a_suggestion(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["new", str(model), "--board", "mps2-an368"]) == 6
    _assert_error(capsys.readouterr().err, "mps2-an368", "mps2-an386")


def test_a_folder_that_holds_something_else_is_exit_7_and_stays(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("important")
    assert cli.execute(["deploy", str(model), "--board", "host", "-o", str(out)]) == 7
    _assert_error(capsys.readouterr().err, "mine", "thesis.txt")
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_data_of_the_wrong_shape_is_exit_3_before_anything_is_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((5, 9, 9, 3), np.float32))
    out = tmp_path / "project"
    arguments = ["deploy", str(model), "--board", "host", "--data", str(tmp_path / "data.npz")]
    assert cli.execute([*arguments, "-o", str(out)]) == 3
    _assert_error(capsys.readouterr().err, "9x9x3", "8x8x3")
    assert not out.exists()


def test_a_class_that_the_model_does_not_have_is_exit_3(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((2, 8, 8, 3), np.float32), y=np.array([0, 4]))
    out = tmp_path / "project"
    arguments = ["deploy", str(model), "--board", "host", "--data", str(tmp_path / "data.npz")]
    assert cli.execute([*arguments, "-o", str(out)]) == 3
    _assert_error(capsys.readouterr().err, "class 4", "0 to 3")
    assert not out.exists()


def test_an_unknown_engine_is_exit_3(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["new", str(model), "--board", "host", "--engine", "magic", "-o", str(tmp_path / "p")]
    assert cli.execute(arguments) == 3
    _assert_error(capsys.readouterr().err, "magic")


def test_a_project_that_is_not_built_is_exit_3(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["new", str(model), "--board", "host", "-o", str(tmp_path / "p")]) == 0
    capsys.readouterr()
    assert cli.execute(["measure", str(tmp_path / "p")]) == 3
    captured = capsys.readouterr()
    _assert_error(captured.err, "not built")
    assert "microwright build" in captured.err


def test_an_unexpected_exception_is_a_bug_of_ours(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(flatbuffer: bytes, name: str) -> Graph:
        raise RuntimeError("nobody expects this\nor this")

    monkeypatch.setattr("microwright.pipeline.read_graph", broken)
    assert cli.execute(["inspect", str(model)]) == 1
    captured = capsys.readouterr()
    _assert_error(captured.err, "internal error", "RuntimeError", "nobody expects this or this")
    assert "--debug" in captured.err
    assert cli.execute(["--debug", "inspect", str(model)]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_debug_shows_the_traceback_of_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["--debug", "inspect", str(tmp_path / "none.tflite")]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_control_c_is_exit_130(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(flatbuffer: bytes, name: str) -> Graph:
        raise KeyboardInterrupt

    monkeypatch.setattr("microwright.pipeline.read_graph", interrupted)
    assert cli.execute(["inspect", str(model)]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_device_that_was_started(deployed: Path, number: int, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _MAIN, "run", str(deployed)],
        env={**os.environ, "PYTHONPATH": str(_SDK)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start what runs in the background with Ctrl-C ignored, and programs inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert "serial line /dev/" in process.stdout.readline()
        firmware = _children(process.pid)
        assert len(firmware) == 1
        process.send_signal(number)
        try:
            assert process.wait(timeout=20) == code
        finally:
            process.kill()
        assert not Path(f"/proc/{firmware[0]}").exists()


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_a_reader_that_goes_away_is_no_news() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "boards"],
            env={**os.environ, "PYTHONPATH": str(_SDK)},
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write)
    assert done.stderr == ""


def test_text_from_files_cannot_command_the_terminal(
    monkeypatch: pytest.MonkeyPatch, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hostile(flatbuffer: bytes, name: str) -> Graph:
        raise errors.InputError("node '\x1b[2J\nerror: fake'", "a\rb")

    monkeypatch.setattr("microwright.pipeline.read_graph", hostile)
    assert cli.execute(["inspect", str(model)]) == 3
    printed = capsys.readouterr().err
    _assert_error(printed, "\\x1b[2J error: fake")
    assert "\x1b" not in printed
    assert "\r" not in printed


def test_every_error_class_has_an_exit_code_of_its_own_or_its_parents() -> None:
    codes = {
        errors.InputError: 3,
        errors.UnsupportedOp: 4,
        errors.TooLarge: 5,
        errors.BoardError: 6,
        errors.OutputError: 7,
        errors.MismatchError: 8,
        errors.ToolMissing: 9,
        errors.ToolFailed: 10,
        errors.DeviceError: 11,
        errors.NoPort: 11,
    }
    assert {kind: kind.exit_code for kind in codes} == codes


def test_deploy_writes_the_report_and_shows_it(
    model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "project", tmp_path / "new" / "report.json"
    arguments = ["deploy", str(model), "--board", "host", "-o", str(out), "--json", str(report)]
    assert cli.execute([*arguments, "--data", str(labelled), "--per-layer"]) == 0
    printed = capsys.readouterr().out
    assert "exact" in printed
    assert "measured" in printed
    assert str(out / "build" / "firmware.elf") in printed
    content = json.loads(report.read_text())
    assert json.loads((out / "report.json").read_text()) == content
    assert content["schema"] == 1
    assert content["board"] == "host"
    assert content["engine"] == "aot"
    assert content["model"]["name"] == "small"
    assert content["model"]["macs"] == 8 * 8 * 6 * 27 + 4 * 24
    assert content["latency"]["kind"] == "measured"
    assert content["latency"]["unit"] == "us"
    assert content["latency"]["runs"] == 7
    assert content["agreement"]["inputs"] == 7
    assert content["agreement"]["compared_bytes"] == 7 * CLASSES
    assert content["agreement"]["mismatched_bytes"] == 0
    assert 0 <= content["accuracy"] <= 1
    assert content["scores"]["samples"] == 7
    assert sum(map(sum, content["scores"]["confusion"])) == 7
    assert content["latency"]["runs"] == len(content["latency"]["samples"])
    assert [layer["op"] for layer in content["layers"]] == [
        "CONV_2D",
        "AVERAGE_POOL_2D",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert content["memory"]["flash_total_bytes"] == (
        content["memory"]["code_bytes"] + content["memory"]["weights_bytes"]
    )


def test_outputs_that_differ_are_exit_8_after_the_report(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = verify.reference

    def shifted(model: Graph) -> verify.Reference | None:
        judge = real(model)
        assert judge is not None

        def run(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
            return tuple(np.asarray(output ^ np.int8(1)) for output in judge.run(inputs))

        return verify.Reference("a wrong reference", run)

    monkeypatch.setattr(verify, "reference", shifted)
    report = tmp_path / "report.json"
    assert cli.execute(["measure", str(deployed), "--random-inputs", "3", "--json", str(report)]) == 8
    captured = capsys.readouterr()
    assert "a wrong reference" in captured.out
    assert "error: 12 of 12 output bytes of host differ from a wrong reference, by up to 1" in captured.err
    assert json.loads(report.read_text())["agreement"]["mismatched_bytes"] == 12


def test_from_a_tflite_on_nothing_imports_tensorflow(model: Path, tmp_path: Path) -> None:
    blocker = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "tf_keras"):
            raise AssertionError(name + " was imported")
sys.meta_path.insert(0, Blocker())
"""
    done = _python(
        *("deploy", str(model), "--board", "host", "-o", str(tmp_path / "p")), code=blocker + _MAIN
    )
    assert done.returncode == 0, done.stderr
    assert "exact" in done.stdout


def test_where_no_reference_is_installed_the_report_says_so(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "reference", lambda model: None)
    report = tmp_path / "report.json"
    assert cli.execute(["measure", str(deployed), "--random-inputs", "1", "--json", str(report)]) == 0
    assert "not checked" in capsys.readouterr().out
    assert json.loads(report.read_text())["agreement"] is None


def test_new_then_build_then_run_then_measure(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "project"
    assert cli.execute(["new", str(model), "--board", "host", "-o", str(out)]) == 0
    assert cli.execute(["build", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "firmware.elf" in printed
    assert "flash" in printed and "c library" in printed
    assert "mw_arena" not in printed
    assert cli.execute(["build", str(out), "--over-empty", "--symbols", "1000"]) == 0
    printed = capsys.readouterr().out
    assert "mw_arena" in printed and "by the model" in printed
    assert cli.execute(["build", str(out), "--over-empty", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert sum(facts["footprint"]["flash"].values()) == facts["footprint"]["flash_bytes"]
    assert 0 < facts["added"]["flash"]["weights"] == facts["footprint"]["flash"]["weights"]
    assert cli.execute(["build", str(out), "--symbols", "1", "--json"]) == 2
    assert "--json has all symbols" in capsys.readouterr().err
    assert cli.execute(["run", str(out), "--once"]) == 0
    captured = capsys.readouterr()
    assert "serial line /dev/" in captured.out
    assert "board host" in captured.out
    assert cli.execute(["measure", str(out), "--random-inputs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "2 runs" in printed
    assert "CONV_2D" not in printed
    again = ["measure", str(out), "--random-inputs", "2", "--runs", "6", "--warmup", "0", "--per-layer"]
    assert cli.execute(again) == 0
    printed = capsys.readouterr().out
    assert "6 runs" in printed
    assert "CONV_2D" in printed and "conv_2d" in printed
    assert cli.execute(["measure", str(out), "--random-inputs", "2", "--runs", "1"]) == 3
    assert "1 runs are fewer than the 2 samples" in capsys.readouterr().err


def test_the_default_folder_is_named_after_model_and_board(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.execute(["new", str(model), "--board", "mps2-an386"]) == 0
    assert (tmp_path / "small-mps2-an386" / "microwright.json").is_file()


def test_inspect_shows_layers_and_the_arena(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["inspect", str(model), "--board", "mps2-an386"]) == 0
    printed = capsys.readouterr().out
    assert "10,368" in printed  # MACs of the convolution
    assert "int8 1x8x8x6" in printed
    assert re.search(r"input +int8 1x8x8x3", printed)
    assert "It fits mps2-an386: about " in printed


def test_inspect_tells_what_was_not_taken_for_want_of_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(convolutional().flatbuffer)
    board = boards.load("mps2-an386").text

    def reasons(ram_bytes: int) -> str:
        little = tmp_path / "little.toml"
        little.write_text(re.sub(r"(ram += .*bytes = )[0-9_]+", rf"\g<1>{ram_bytes}", board, count=1))
        assert cli.execute(["inspect", str(path), "--board", str(little), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        return " ".join(why for kernel in facts["kernels"] for why in kernel["not_taken"].values())

    assert "memory: the arena would need" in reasons(2600)
    assert "memory" not in reasons(1 << 20)


def test_inspect_tells_what_graph_passes_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    m = Maker()
    x, y, z = (m.tensor((1, 2, 2, 3), scale=0.1) for _ in range(3))
    w = np.ones((3, 1, 1, 3), np.int8)
    w[1:] = 0
    m.node("CONV_2D", [x, m.const(w, scales=[0.1])], [y], stride_h=1, stride_w=1)
    m.node("CONV_2D", [y, m.const(w + np.int8(1), scales=[0.1])], [z], stride_h=1, stride_w=1)
    path = tmp_path / "idle.tflite"
    path.write_bytes(m.build([x], [z]))
    assert cli.execute(["inspect", str(path), "--board", "host"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["channels", "-2", "-48", "-12"] in lines


def test_inspect_shows_a_model_that_the_engine_cannot_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.support.tflite_maker import Maker

    m = Maker()
    x, y = (m.tensor((1, 4), "int8", scale=0.1) for _ in range(2))
    m.node("RFFT2D", [x], [y])
    path = tmp_path / "rfft.tflite"
    path.write_bytes(m.build(inputs=[x], outputs=[y]))
    assert cli.execute(["inspect", str(path)]) == 0
    assert "no kernel" in capsys.readouterr().out
    assert cli.execute(["inspect", str(path), "--board", "host"]) == 4
    _assert_error(capsys.readouterr().err.strip(), "RFFT2D")


def test_verify_checks_the_engine_on_this_computer(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["verify", str(model), "--random-inputs", "5"]) == 0
    printed = capsys.readouterr().out
    assert f"{5 * CLASSES} bytes of 5 inputs" in printed
    assert "all equal" in printed


def test_verify_compares_two_models(
    model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["verify", str(model), str(model), "--data", str(labelled)]) == 0
    printed = capsys.readouterr().out
    assert "100.00%" in printed
    assert "7 of 7 samples" in printed
    assert "accuracy" in printed
    assert cli.execute(["verify", str(model), str(model), "--random-inputs", "3"]) == 0
    assert "3 of 3 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--engine", "aot", "{model}"], "--engine is for MODEL alone"),
        (["--random-inputs", "3", "--data", "{data}"], "--random-inputs takes the place of --data"),
        (
            ["{model}", "--random-inputs", "3", "--data", "{data}"],
            "--random-inputs takes the place of --data",
        ),
    ],
)
def test_verify_ignores_no_option(
    model: Path, labelled: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    given = [each.format(model=model, data=labelled) for each in arguments]
    assert cli.execute(["verify", str(model), *given]) == 2
    assert says in capsys.readouterr().err


def test_code_that_a_model_does_not_need_is_not_run(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(tmp_path)
    assert cli.execute(["inspect", str(model), "--custom", "mine:Layer"]) == 0
    assert "no Keras file, --custom is not needed and its code not run" in capsys.readouterr().err


def test_a_label_column_is_of_the_table_alone(
    model: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--label is for one of two sources here, and the other has its labels elsewhere."""
    seen: dict[str, Any] = {}

    def deploy(*_: Any, **options: Any) -> None:
        seen.update(options)
        raise errors.InputError("seen", "that is all")

    monkeypatch.setattr(pipeline, "deploy", deploy)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    given = ["--calibration", str(tmp_path / "t.csv"), "--data", str(labelled), "--label", "b"]
    assert cli.execute(["deploy", str(model), "--board", "host", *given]) == 3
    assert (seen["calibration"].calibration.label, seen["data"].label) == ("b", None)


def test_arrays_writes_both_files(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["arrays", str(model), "-o", str(tmp_path / "a" / "b"), "--name", "my net"]) == 0
    assert "g_my_net_model_data" in (tmp_path / "a" / "b" / "model_data.h").read_text()
    assert (tmp_path / "a" / "b" / "model_data.cc").is_file()


def test_quantize_refuses_a_tflite(
    model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["quantize", str(model), "--calibration", str(labelled), "-o", str(tmp_path / "o.tflite")]
    assert cli.execute(arguments) == 3
    _assert_error(capsys.readouterr().err, "already")
    assert not (tmp_path / "o.tflite").exists()


def test_boards_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["boards"]) == 0
    printed = capsys.readouterr().out
    assert cli.execute(["boards", "--json"]) == 0
    listed = {board["id"]: board for board in json.loads(capsys.readouterr().out)}
    assert set(listed) >= {"host", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547"}
    assert all(board_id in printed for board_id in listed)
    assert listed["mps2-an386"]["flash_bytes"] == 4 << 20
    assert listed["host"]["ram_bytes"] is None


def test_boards_shows_all_facts_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["boards", "show", "nucleo-f446re"]) == 0
    printed = capsys.readouterr().out
    for fact in (
        "180 MHz",
        "16 MHz after a reset",
        "524,288 bytes",
        "chip.pll_n",
        "TX PA2, RX PA3",
        "st-flash",
    ):
        assert fact in printed, fact
    assert cli.execute(["boards", "show", "nucleo-f446re", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["chip"]["hse_hz"]["value"] == 8_000_000
    assert shown["uart"] == {"driver": "stm32_v1", "base": 0x4000_4400, "tx": "PA2", "rx": "PA3"}
    assert cli.execute(["boards", "show", "host"]) == 0


def test_a_board_begins_with_the_facts_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MICROWRIGHT_BOARDS", str(tmp_path / "mine"))
    assert cli.execute(["boards", "show", "my-board"]) == 6
    assert "mine, where your boards would be, is no folder" in capsys.readouterr().err
    assert cli.execute(["boards", "new", "my-board", "--like", "nucleo-f446re"]) == 0
    made, known = boards.load("my-board"), boards.load("nucleo-f446re")
    assert (made.name, made.tested, made.chip) == ("my-board", "built", known.chip)
    assert cli.execute(["boards", "new", "my-board", "--like", "host"]) == 7
    assert "my-board.toml exists" in capsys.readouterr().err
    assert boards.load("my-board") == made


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--like", "nucleo-f446re", "--family", "x"], 2, "either --like BOARD or --family NAME"),
        (["--like", "nucleo-f446re", "--core", "cortex-m4"], 2, "are for --family"),
        (["--family", "x"], 2, "--family needs --core"),
        (["--family", "../x", "--core", "cortex-m4"], 6, "is no name of a family"),
        (["--family", "x", "--core", "cortex-m5"], 6, "there is no core 'cortex-m5'; did you mean"),
        (["--family", "x", "--core", "cortex-m55"], 6, "cortex-m55 needs an FPU"),
        (["--family", "x", "--core", "cortex-m3", "--fpu", "fpv5-d16"], 6, "cortex-m3 has no FPU 'fpv5-d16'"),
        (["--family", "x", "--core", "cortex-m3", "--driver", "pl012"], 6, "did you mean 'pl011'?"),
    ],
)
def test_a_board_that_cannot_begin_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    out = ["-o", str(tmp_path / "mine")]
    assert cli.execute(["boards", "new", "my-board", *arguments, *out]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()
    for board_id in ("My Board", r"a\q", r"\g<9>"):
        assert cli.execute(["boards", "new", board_id, "--like", "host", *out]) == 6
    assert not (tmp_path / "mine").exists()


def test_a_folder_of_boards_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROWRIGHT_BOARDS", "")
    for arguments in (["boards"], ["boards", "show", "host"], ["doctor", "--board", "host"], ["ports"]):
        assert cli.execute(["--boards", str(tmp_path / "nosuch"), *arguments]) == 6
        _assert_error(capsys.readouterr().err, "nosuch, where your boards would be, is no folder")
    new = ["--boards", str(tmp_path / "nosuch"), "boards", "new", "mine", "--like", "host"]
    assert cli.execute(new) == 0


def test_a_wrong_board_file_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROWRIGHT_BOARDS", str(tmp_path))
    (tmp_path / "wrong.toml").write_text("name = 5\n")
    for command in (["boards"], ["boards", "--json"], ["ports"]):
        assert cli.execute(command) == 0
        printed = capsys.readouterr()
        assert ("wrong.toml" in printed.err and "nucleo-f446re" in printed.out) or command == ["ports"]


def test_a_board_of_ones_own_family_begins_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, other = ["-o", str(tmp_path / "mine")], ["-o", str(tmp_path / "other")]
    family = ["--family", "foo", "--core", "cortex-m3"]
    assert cli.execute(["boards", "new", "one", *family, *here]) == 0
    capsys.readouterr()
    assert cli.execute(["boards", "new", "two", *family, *here]) == 7
    assert "with --like BOARD" in capsys.readouterr().err
    like = ["--like", str(tmp_path / "mine" / "one.toml")]
    assert cli.execute(["boards", "new", "two", *like, *other]) == 6
    assert f"give -o {tmp_path / 'mine'}, where it is" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert cli.execute(["boards", "new", "two", *like, *here]) == 0
    assert boards.load(str(tmp_path / "mine" / "two.toml")).template == "cortex_m/foo"


def test_doctor_is_content_with_this_computer(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["doctor"]) == 0
    assert "qemu-system-arm" in capsys.readouterr().out


def test_doctor_names_what_is_missing_and_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.execute(["doctor", "--json"]) == 9
    captured = capsys.readouterr()
    findings = {finding["name"]: finding for finding in json.loads(captured.out)["findings"]}
    assert not findings["qemu-system-arm"]["found"]
    assert findings["qemu-system-arm"]["install"] == "sudo apt-get install qemu-system-arm"
    assert findings["numpy"]["found"]
    _assert_error(captured.err, "arm-none-eabi-gcc", "newlib", "cmake", "ninja", "qemu-system-arm")
    assert "sudo apt-get install cmake" in captured.err


def test_a_tool_that_does_not_run_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "cmake"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert cli.execute(["doctor", "--json"]) == 9
    findings = json.loads(capsys.readouterr().out)["findings"]
    cmake = next(finding for finding in findings if finding["name"] == "cmake")
    assert cmake["version"] is None
    assert "does not run" in cmake["problem"]


def test_a_compiler_that_is_too_old_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "arm-none-eabi-gcc"
    script.write_text("#!/bin/sh\necho 'arm-none-eabi-gcc (Arm GNU Toolchain) 9.3.1 20200408'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert cli.execute(["doctor", "--json"]) == 9
    found = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert found["arm-none-eabi-gcc"]["problem"] == (
        "arm-none-eabi-gcc 9.3.1 is too old: 10 or later is needed"
    )


def _bars(*, terminal: bool) -> tuple[_progress.Bars, io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80, markup=False)
    return _progress.Bars(console=console), written


def test_a_short_stage_shows_no_progress() -> None:
    for terminal in (True, False):
        bars, written = _bars(terminal=terminal)
        with bars:
            for done in range(4):
                bars("short", done, 3)
        assert written.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_stage_shows_progress_even_while_it_blocks(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "SHOW_AFTER_S", 0.05)
    bars, written = _bars(terminal=terminal)
    with bars:
        bars("long [red]stage", 0, 1)
        deadline = time.monotonic() + 5
        while "long" not in written.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        bars("long [red]stage", 1, 1)
    assert "long [red]stage" in written.getvalue()
    if not terminal:
        assert written.getvalue() == "long [red]stage ...\n"


def test_an_error_in_a_stage_ends_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "SHOW_AFTER_S", 0.05)
    bars, written = _bars(terminal=False)
    with pytest.raises(KeyboardInterrupt), bars:
        bars("stage", 0, 9)
        raise KeyboardInterrupt
    time.sleep(0.15)
    assert written.getvalue() == ""


def test_the_public_names_are_lazy_and_whole() -> None:
    import microwright

    assert sorted(microwright.__all__) == sorted([*microwright._HOME, "__version__"])
    for name in microwright.__all__:
        assert getattr(microwright, name) is not None
    assert microwright.read_graph is graph.read
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = microwright.nonsense
    package = Path(microwright.__file__).parent
    modules = {path.stem for path in package.iterdir()}
    assert not modules & set(microwright.__all__)
    light = _python(code="import microwright, sys; print('numpy' in sys.modules, 'click' in sys.modules)")
    assert light.stdout.split() == ["False", "False"]


def test_commands_import_only_click_at_module_level() -> None:
    assert isinstance(cli.root, click.Group)
    done = _python(
        code="import sys; from microwright import cli; import click\n"
        "[cli.root.get_command(click.Context(cli.root), name) for name in cli.COMMANDS]\n"
        "print(*sorted(m for m in sys.modules if m.startswith('microwright')))"
    )
    loaded = set(done.stdout.split())
    shared = {f"microwright.cli.{name}" for name in ("_options", "_profile", "_remote")}
    allowed = {"microwright", "microwright._paths", "microwright.errors", "microwright.cli"} | shared
    assert loaded == allowed | {f"microwright.cli.{name}" for name in cli.COMMANDS}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--label", "y"], "--label is for a .csv"),
        (["--calibration", "samples:made", "--label", "y"], "--label is for a .csv"),
        (["--calibration", "s.csv", "--image-scale", "0..1"], "--image-scale is for a folder of images"),
        (["--calibration", "photos", "--image-scale", "1..1"], "no LOW..HIGH"),
        (["--calibration", "photos", "--image-scale", "0..1e300"], "no LOW..HIGH"),
        (["--calibration", "photos", "--image-scale", "nan..1"], "no LOW..HIGH"),
        (["--calibration", "photos", "--image-scale", "1"], "no LOW..HIGH"),
    ],
)
def test_options_that_fit_no_source_are_wrong_usage(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "s.csv").write_text("1,2\n")
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)

    assert cli.execute(["quantize", "m.keras", "-o", "m.tflite", *options]) == 2

    assert said in capsys.readouterr().err


def test_quantize_does_not_write_over_its_keras_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.keras"
    model.write_bytes(b"weights")

    assert cli.execute(["quantize", str(model), "-o", str(model), "--calibrate-randomly"]) == 7

    assert "m.tflite" in capsys.readouterr().err
    assert model.read_bytes() == b"weights"


@pytest.mark.parametrize(
    "options", [["--scheme", "int16x8"], ["--calibrate-randomly"], ["--calibration", "none.npz"]]
)
def test_a_tflite_is_not_quantised_again(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(small_model())
    out = tmp_path / "c"

    assert cli.execute(["compile", str(model), "--board", "host", "-o", str(out), *options]) == 3

    assert "not quantised again" in capsys.readouterr().err
    assert not out.exists()
