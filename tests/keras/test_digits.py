"""Handwritten digits as tables and as pictures: from the data to what int8 costs of a real small model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from microwright import _tensorflow, cli, data, load
from microwright.compress import fine_tune

_Array = npt.NDArray[Any]
_TRAIN = 1200


@pytest.fixture(scope="module")
def digits() -> tuple[_Array, _Array]:
    """8x8 pixels of 0 to 255, and labels; in no order of the classes."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    pixels = (bunch.images[order] * 15.9375).round().astype(np.uint8)
    return pixels, bunch.target[order]


@pytest.fixture(scope="module")
def model(digits: tuple[_Array, _Array], tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = _tensorflow.keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    pixels, labels = digits
    x = (pixels[:_TRAIN, ..., np.newaxis] / np.float32(255)).astype(np.float32)
    trained = fine_tune(network, data.make((x,), labels[:_TRAIN]), epochs=6, learning_rate=4e-3)
    path = tmp_path_factory.mktemp("digits") / "digits.keras"
    load.save(trained, path)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert cli.execute([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_pictures_and_a_table_give_the_same_accuracy(
    digits: tuple[_Array, _Array], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels, labels = digits
    for number in range(_TRAIN - 200, len(labels)):
        part = "calibration" if number < _TRAIN else "validation"
        path = tmp_path / part / str(labels[number]) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[number]).save(path)
    rows = np.column_stack([pixels[_TRAIN:].reshape(-1, 64) / np.float32(255), labels[_TRAIN:]])
    header = ",".join([*(f"pixel{i}" for i in range(64)), "digit"])
    np.savetxt(tmp_path / "validation.csv", rows, delimiter=",", header=header, comments="", fmt="%.9g")

    int8 = tmp_path / "digits.tflite"
    calibration = ["--calibration", str(tmp_path / "calibration"), "--image-scale", "0..1"]
    made = told(
        capsys,
        "quantize",
        str(model),
        "-o",
        str(int8),
        *calibration,
        "--validation",
        str(tmp_path / "validation"),
    )
    compared = made["comparison"]
    assert compared["samples"] == len(labels) - _TRAIN
    assert compared["accuracy"] > 0.9
    assert abs(compared["accuracy"] - compared["other_accuracy"]) < 0.02
    assert [score["name"] for score in compared["classes"]] == [str(i) for i in range(10)]
    for end, total in (("correct", "accuracy"), ("other_correct", "other_accuracy")):
        right = sum(score[end] for score in compared["classes"])
        assert right == round(compared[total] * compared["samples"])
    assert [warning["name"] for warning in made["warnings"]] == ["constant-feature"]

    table = ["--data", str(tmp_path / "validation.csv"), "--label", "digit"]
    verified = told(capsys, "verify", str(model), str(int8), *table, "--per-layer")
    assert verified["accuracy"] == compared["accuracy"]
    assert verified["other_accuracy"] == compared["other_accuracy"]
    assert verified["layers"][0]["op"] == "CONV_2D"
    assert all(layer["sqnr_db"] > 25 for layer in verified["layers"])


def test_what_int8_costs_is_printed_class_by_class(
    digits: tuple[_Array, _Array], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels, labels = digits
    x = pixels[..., np.newaxis] / np.float32(255)
    np.savez(tmp_path / "c.npz", x=x[:200])
    np.savez(tmp_path / "v.npz", x=x[_TRAIN:] * 255, y=labels[_TRAIN:])
    arguments = ["--calibration", str(tmp_path / "c.npz"), "--validation", str(tmp_path / "v.npz")]
    assert cli.execute(["quantize", str(model), "-o", str(tmp_path / "d.tflite"), *arguments]) == 0
    captured = capsys.readouterr()
    for column in ("class", "samples", "float", "int8", "difference", "accuracy, int8"):
        assert column in captured.out
    # The validation samples were scaled otherwise, which is what the warning is about.
    assert "warning: range-exceeded: " in captured.err
    deployed = ["deploy", str(tmp_path / "d.tflite"), "--board", "host", "--data", str(tmp_path / "v.npz")]
    assert cli.execute([*deployed, "-o", str(tmp_path / "p")]) == 0
    report = json.loads((tmp_path / "p" / "report.json").read_text())
    # This computer's time may be unsteady, which is no matter here.
    names = [warning["name"] for warning in report["warnings"]]
    assert [name for name in names if "latency" not in name] == ["range-exceeded"]


def test_a_class_that_the_model_does_not_have(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).uniform(size=(20, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "v.npz", x=x, y=np.full(20, 10))
    assert cli.execute(["verify", str(model), str(model), "--data", str(tmp_path / "v.npz")]) == 3
    assert "class 10, the model's classes are 0 to 9" in capsys.readouterr().err
