"""Inputs and outputs by their names, from the file to what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from microwright import cli
from tests.support.tflite_maker import Maker


def _model(path: Path, *, swapped: bool = False, named: bool = True, shift: float = 0.0) -> Path:
    """Two outputs of one input: its first half with two added, and its second half."""
    m = Maker()
    x = m.tensor((1, 8), "float32", name="serving_default_x:0")
    halves = [m.tensor((1, 4), "float32", name=f"StatefulPartitionedCall:{i}") for i in range(2)]
    raised = m.tensor((1, 4), "float32", name="StatefulPartitionedCall:2")
    m.node("SPLIT", [m.const(np.array(1, np.int32)), x], halves, num_splits=2)
    m.node("ADD", [halves[0], m.const(np.full((1, 4), 2 + shift, np.float32))], [raised])
    if named:
        m.signatures = [("serving_default", {"image": x}, {"raised": raised, "rest": halves[1]})]
    path.write_bytes(m.build([x], [halves[1], raised] if swapped else [raised, halves[1]]))
    return path


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_inspect_names_inputs_and_outputs(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model(work / "m.tflite")
    assert cli.execute(["inspect", "m.tflite"]) == 0
    said = capsys.readouterr().out.splitlines()
    ends = [line.split() for line in said if "float32 1x" in line and line.split()[0] in ("input", "output")]
    assert ends == [
        ["input", "float32", "1x8", "image"],
        ["output", "float32", "1x4", "raised"],
        ["output", "float32", "1x4", "rest"],
    ]
    assert ["ranges", "unknown"] in [line.split() for line in said]
    assert cli.execute(["inspect", "m.tflite", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["inputs"] == [{"name": "image", "dtype": "float32", "shape": [1, 8]}]
    assert [each["name"] for each in facts["outputs"]] == ["raised", "rest"]
    assert facts["ranges"] == ""


def test_verify_names_the_outputs(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model(work / "m.tflite")
    np.savez(work / "d.npz", image=np.ones((3, 8), np.float32))
    assert cli.execute(["verify", "m.tflite", "--data", "d.npz"]) == 0
    assert "all equal; all outputs: raised, rest" in capsys.readouterr().out
    assert cli.execute(["verify", "m.tflite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == [
        {"name": name, "mismatched_bytes": 0, "max_difference": 0} for name in ("raised", "rest")
    ]


def test_outputs_of_two_models_are_paired_by_name(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model(work / "m.tflite")
    _model(work / "other.tflite", swapped=True, shift=0.5)
    assert cli.execute(["verify", "m.tflite", "other.tflite", "--json"]) == 0
    raised, rest = json.loads(capsys.readouterr().out)["outputs"]
    assert (raised["name"], raised["mean_difference"]) == ("raised", pytest.approx(0.5))
    assert rest == {"name": "rest", "max_difference": 0.0, "mean_difference": 0.0}
    # Without names, in their order.
    _model(work / "other.tflite", named=False)
    assert cli.execute(["verify", "m.tflite", "other.tflite"]) == 0
    said = capsys.readouterr().out
    assert "of 'raised', in real values" in said
    assert "of 'rest', in real values" in said


def test_inputs_of_two_models_are_paired_by_name(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, swapped in (("m.tflite", False), ("other.tflite", True)):
        m = Maker()
        first, second, y = (m.tensor((1, 4), "float32") for _ in range(3))
        m.node("SUB", [first, second], [y])
        m.signatures = [("serving_default", {"first": first, "second": second}, {"y": y})]
        ends = [second, first] if swapped else [first, second]
        (work / path).write_bytes(m.build(ends, [y]))
    rng = np.random.default_rng(0)
    np.savez("d.npz", **{name: rng.normal(size=(3, 4)).astype(np.float32) for name in ("first", "second")})
    for data in (["--data", "d.npz"], []):
        assert cli.execute(["verify", "m.tflite", "other.tflite", *data, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["max_difference"] == 0
