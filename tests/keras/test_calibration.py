"""From calibration data of each kind to a model on a device, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from microwright import cli, graph, load
from tests.support.keras_models import images, trained_cnn


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "quarters.keras"
    load.save(trained_cnn(), path)
    return path


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(path: Path, count: int = 120, seed: int = 0) -> tuple[Any, Any]:
    samples = images(count, seed)
    np.savez(path, x=samples.inputs[0], y=samples.labels)
    return samples.inputs[0], samples.labels


def quantized(model: Path, out: Path, *arguments: str) -> bytes:
    assert cli.execute(["quantize", str(model), "-o", str(out), *arguments]) == 0
    return out.read_bytes()


def test_the_same_samples_give_the_same_model_whatever_they_come_from(model: Path, work: Path) -> None:
    x, y = save(work / "s.npz")
    np.save(work / "s.npy", x)
    header = ",".join([f"p{i}" for i in range(64)] + ["quarter"])
    table = np.column_stack([x.reshape(len(x), 64), y])
    np.savetxt(work / "s.csv", table, delimiter=",", header=header, comments="", fmt="%.9g")
    (work / "mine.py").write_text(
        "import numpy as np\n"
        "def samples():\n"
        "    given = np.load('s.npz')\n"
        "    yield from zip(given['x'], given['y'])\n"
    )
    expected = quantized(model, work / "a.tflite", "--calibration", "s.npz")
    for source in (["s.npy"], ["s.csv", "--label", "quarter"], ["mine:samples"]):
        assert quantized(model, work / "b.tflite", "--calibration", *source) == expected


def test_a_folder_of_images(model: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = save(work / "s.npz")
    pixels = np.clip((x[..., 0] + 2) / 4 * 255, 0, 255).round().astype(np.uint8)
    for number, (picture, label) in enumerate(zip(pixels, y, strict=True)):
        path = work / "pictures" / f"quarter{label}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    folder = ["--calibration", "pictures", "--image-scale", "-2..2", "--validation", "pictures", "--json"]
    capsys.readouterr()
    quantized(model, work / "a.tflite", *folder)
    told = json.loads(capsys.readouterr().out)
    assert [score["name"] for score in told["comparison"]["classes"]] == [f"quarter{i}" for i in range(4)]
    assert sum(score["samples"] for score in told["comparison"]["classes"]) == 120
    # Labels and samples belong together: the model was trained on these classes.
    assert told["comparison"]["accuracy"] > 0.9
    assert told["comparison"]["other_accuracy"] > 0.9


def test_without_samples_it_stops_and_says_what_to_give(
    model: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["quantize", "-o", "a.tflite"], ["deploy", "--board", "host"], ["arrays", "-o", "a"]):
        assert cli.execute([*command, str(model)]) == 3
        said = capsys.readouterr().err
        assert "has to be quantised" in said
        assert "--calibration" in said
        assert "--calibrate-randomly" in said
    assert list(work.iterdir()) == []


def test_random_calibration_marks_the_model_and_every_report(
    model: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flatbuffer = quantized(model, work / "r.tflite", "--calibrate-randomly")
    assert graph.read(flatbuffer, "r").calibrated_randomly
    assert quantized(model, work / "again.tflite", "--calibrate-randomly") == flatbuffer

    def told(*arguments: str) -> Any:
        capsys.readouterr()
        assert cli.execute(arguments) == 0
        captured = capsys.readouterr()
        assert "warning: random-calibration: " in captured.err
        assert "not representative" in captured.err
        return captured.out

    for command in (("inspect", "r.tflite"), ("verify", "r.tflite"), ("verify", str(model), "r.tflite")):
        facts = json.loads(told(*command, "--json"))
        assert [warning["name"] for warning in facts["warnings"]] == ["random-calibration"]
    told("arrays", "r.tflite", "-o", "arrays")
    told("compile", "r.tflite", "--board", "host", "-o", "c")
    assert "not representative" in told("deploy", "r.tflite", "--board", "host", "-o", "p")
    assert "not representative" in told("measure", "p", "--json", "m.json")
    for path in ("p/report.json", "m.json"):
        report = json.loads((work / path).read_text())
        assert report["model"]["calibrated_randomly"] is True
        assert report["warnings"][0]["name"] == "random-calibration"
    for folder in ("p", "c"):
        assert json.loads((work / folder / "microwright.json").read_text())["model"]["calibrated_randomly"]
        assert "not representative" in (work / folder / "README.md").read_text()
    assert (work / "p" / "model" / "model.tflite").read_bytes() == flatbuffer


def test_cautions_are_told_by_name(model: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, _ = save(work / "v.npz")
    few = x[:20].copy()
    few[:, 3, 4] = 0
    np.savez(work / "c.npz", x=few / 10, y=np.zeros(20, int))
    capsys.readouterr()
    calibration = ["--calibration", "c.npz"]
    quantized(model, work / "a.tflite", *calibration, "--validation", "v.npz", "--json")
    captured = capsys.readouterr()
    names = [warning["name"] for warning in json.loads(captured.out)["warnings"]]
    assert names == ["few-samples", "one-class", "constant-feature", "range-exceeded"]
    assert [line.split(": ")[1] for line in captured.err.splitlines() if line.startswith("warning")] == names
    assert cli.execute(["deploy", str(model), "--board", "host", "-o", "p", *calibration]) == 0
    report = json.loads((work / "p" / "report.json").read_text())
    # This computer's time may be unsteady, which is no matter here.
    told = [warning["name"] for warning in report["warnings"]]
    assert [name for name in told if "latency" not in name] == names[:3]
    assert report["model"]["calibrated_randomly"] is False


@pytest.mark.parametrize(("entry", "out"), [("uint8", "uint8"), ("float32", "float32"), ("uint8", "float32")])
def test_types_of_inputs_and_outputs_on_a_device(
    model: Path, work: Path, capsys: pytest.CaptureFixture[str], entry: str, out: str
) -> None:
    save(work / "s.npz")
    save(work / "t.npz", 20, 1)
    types = ["--input-type", entry, "--output-type", out]
    made = graph.read(quantized(model, work / "a.tflite", "--calibration", "s.npz", *types), "a")
    assert [made.tensors[i].dtype for i in (*made.inputs, *made.outputs)] == [entry, out]
    arguments = ["--board", "mps2-an386", "--calibration", "s.npz", "--data", "t.npz", "-o", "p", *types]
    assert cli.execute(["deploy", str(model), *arguments]) == 0
    report = json.loads((work / "p" / "report.json").read_text())
    assert report["agreement"]["mismatched_bytes"] == 0
    assert report["agreement"]["compared_bytes"] == 20 * 4 * (4 if out == "float32" else 1)
    assert report["accuracy"] > 0.8


def test_what_contradicts_itself_is_refused(
    model: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(work / "s.npz")
    both = ["--calibration", "s.npz", "--calibrate-randomly"]
    assert cli.execute(["quantize", str(model), "-o", "a.tflite", *both]) == 3
    assert "choose one" in capsys.readouterr().err
    for scale in ("1", "0..", "0..x", "0..nan"):
        assert cli.execute(["quantize", str(model), "-o", "a.tflite", "--image-scale", scale]) == 2
        assert "LOW..HIGH" in capsys.readouterr().err
    assert not (work / "a.tflite").exists()
