"""The noise of a quantised model's layers: right to the formula, and the layers that hurt are named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, accuracy, cli, comparison, data, load, noise, quantize, verify
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.load import Model
from microwright.noise import LayerNoise
from tests.support.keras_models import images, trained_cnn

keras = _tensorflow.keras()
L = keras.layers


@pytest.fixture(scope="module")
def trained() -> Model:
    return load.from_keras(trained_cnn(), "quarters")


def measure(model: Model, made: Graph, samples: Data) -> tuple[LayerNoise, ...]:
    return noise.measure(model, comparison.model_of(made), samples)


def test_the_ratio_of_the_last_layer_is_that_of_the_outputs(trained: Model) -> None:
    samples = images(60, 1)
    made = quantize.quantize(trained, images(120))
    layers = measure(trained, made, samples)
    assert [layer.op for layer in layers] == [
        "CONV_2D",
        "MAX_POOL_2D",
        "CONV_2D",
        "MAX_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    reference = verify.tensors(made, made.outputs)
    x = data.to_input(made, 0, samples.inputs[0])
    outputs = np.concatenate([reference.run((sample,))[0] for sample in x])
    got = accuracy.real(outputs, made.tensors[made.outputs[0]]).astype(np.float64)
    exact = np.asarray(load.predict(trained, samples)[0], np.float64)
    expected = 10 * math.log10((exact**2).sum() / ((exact - got) ** 2).sum())
    assert layers[-1].sqnr_db == pytest.approx(expected, abs=0.01)
    # Moving elements adds no noise.
    assert layers[4].own_db is None
    assert layers[4].sqnr_db == layers[3].sqnr_db


def test_noise_is_measured_on_a_hundred_samples_at_most(trained: Model) -> None:
    made = quantize.quantize(trained, images(120))
    seen = []
    noise.measure(
        trained, comparison.model_of(made), images(101), progress=lambda *told: seen.append(told[1:])
    )
    assert seen[-1] == (100, 100)


@pytest.mark.parametrize("types", [{}, {"input_type": "uint8", "output_type": "float32"}])
def test_types_of_inputs_and_outputs_change_no_layer(trained: Model, types: Any) -> None:
    samples = images(30, 1)
    expected = measure(trained, quantize.quantize(trained, images(120)), samples)
    layers = measure(trained, quantize.quantize(trained, images(120), **types), samples)
    assert [layer.op for layer in layers][:7] == [layer.op for layer in expected][:7]
    assert [layer.sqnr_db for layer in layers][:7] == pytest.approx(
        [layer.sqnr_db for layer in expected][:7], abs=1.0
    )


def test_calibration_that_is_too_narrow_is_found(trained: Model) -> None:
    given = images(120)
    narrow = Data((given.inputs[0] / 4,), given.labels)
    good, bad = (
        measure(trained, quantize.quantize(trained, each), images(40, 1)) for each in (given, narrow)
    )
    assert max(layer.clipped for layer in good) < 0.02
    assert max(layer.clipped for layer in bad) > 0.05
    assert any("cut off: calibrate with more samples" in layer.advice for layer in noise.worst(bad))
    assert good[0].sqnr_db is not None
    assert bad[0].sqnr_db is not None
    assert good[0].sqnr_db > bad[0].sqnr_db + 10


def outliers() -> Model:
    """Three fully connected layers; a unit of the second is 300 times as large as the others."""
    keras.utils.set_random_seed(0)
    x = entry = keras.Input((16,))
    x = L.Dense(32, activation="relu", name="fine")(x)
    x = L.Dense(256, name="peaks")(x)
    net = keras.Model(entry, L.Dense(4, name="last")(x))
    kernel, bias = net.get_layer("peaks").get_weights()
    kernel[:, 7] *= 300
    net.get_layer("peaks").set_weights([kernel, bias])
    return load.from_keras(net, "outliers")


def test_the_layer_with_outliers_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = outliers()
    x = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
    made = quantize.quantize(model, data.make((x,)))
    layers = measure(model, made, data.make((x,)))
    hurting = noise.worst(layers)[0]
    assert "peaks" in hurting.name
    assert hurting.peak > 12
    assert "clip outliers" in hurting.advice
    # What it says helps.
    wide = measure(model, quantize.quantize(model, data.make((x,)), scheme="int16x8"), data.make((x,)))
    assert wide[hurting.index].sqnr_db > hurting.sqnr_db + 10
    (tmp_path / "o.tflite").write_bytes(made.flatbuffer)
    load.save(model.keras, tmp_path / "o.keras")
    np.savez(tmp_path / "x.npz", x=x)
    arguments = ["verify", str(tmp_path / "o.keras"), str(tmp_path / "o.tflite"), "--per-layer"]
    assert cli.execute([*arguments, "--data", str(tmp_path / "x.npz")]) == 0
    said = capsys.readouterr().out
    assert f"layer {hurting.index} FULLY_CONNECTED" in said
    assert "SQNR dB" in said
    assert cli.execute([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["op"] for layer in told] == ["FULLY_CONNECTED"] * 3


def test_a_layer_whose_steps_are_too_few_is_better_in_int16() -> None:
    """Most outputs of a ReLU behind a negative bias are zero: the others are large for what they tell."""
    keras.utils.set_random_seed(0)
    entry = keras.Input((16,))
    x = L.Dense(16, activation="relu", name="sparse")(entry)
    net = keras.Model(entry, L.Dense(4)(x))
    net.get_layer("sparse").set_weights([np.eye(16) * 127 / 128, -np.full(16, 1.2)])
    model = load.from_keras(net, "sparse")
    samples = data.make((np.random.default_rng(0).normal(size=(200, 16)).clip(-3.5, 3.5).astype(np.float32),))
    narrow = measure(model, quantize.quantize(model, samples), samples)[0]
    assert "too few steps: keep its values in int16" in narrow.advice
    wide = measure(model, quantize.quantize(model, samples, scheme="int16x8"), samples)[0]
    assert wide.advice == ""
    assert wide.sqnr_db > narrow.sqnr_db + 40


def test_a_tflite_of_another_converter_is_aligned_by_its_operators(trained: Model) -> None:
    """The same network under other names, as other versions of the converter give them."""
    made = quantize.quantize(trained, images(120))
    renamed = made.flatbuffer
    for name in {node.name for node in made.nodes}:
        renamed = renamed.replace(name.encode(), b"q" * len(name))
    other = Model(Path("r.tflite"), "r", "", "tflite", None, renamed)
    expected = measure(trained, made, images(20, 1))
    layers = noise.measure(trained, other, images(20, 1))
    assert [layer.sqnr_db for layer in layers] == [layer.sqnr_db for layer in expected]


def test_without_litert_tensorflows_own_interpreter_serves(
    trained: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = quantize.quantize(trained, images(120))
    expected = measure(trained, made, images(10, 1))
    monkeypatch.setattr(verify, "_module", lambda name: None)
    assert measure(trained, made, images(10, 1)) == expected


def test_what_cannot_be_compared_layer_by_layer(
    trained: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = comparison.model_of(quantize.quantize(trained, images(120)))
    for pair in ((made, made), (trained, trained), (made, trained)):
        with pytest.raises(InputError, match=r"of a Keras model and a \.tflite"):
            noise.measure(*pair, images(20))
    assert cli.execute(["verify", "a.keras", "--per-layer"]) == 2
    assert "OTHER" in capsys.readouterr().err
