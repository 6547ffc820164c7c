"""Quantisation schemes from a Keras model to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, data, graph, load, pipeline, quantize, report, verify
from microwright.cli import main
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.quantize import Recipe, Scheme
from microwright.sources import Source
from tests.support.native import assert_equal_to_reference

keras = _tensorflow.keras()
L = keras.layers

# An M3 has no FPU, an M4 one of single precision.
BOARDS = ("mps2-an386", pytest.param("mps2-an385", marks=pytest.mark.thorough))


def _network(last: str) -> Any:
    keras.utils.set_random_seed(4)
    x = entry = keras.Input((10, 10, 2))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3, padding="same", name="first")(x)))
    y = L.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
    x = L.Concatenate()([L.Add()([x, y]), L.Multiply()([x, y])])
    x = L.MaxPooling2D()(L.ZeroPadding2D(((0, 1), (1, 0)))(L.AveragePooling2D(2)(x)))
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 2, activation="relu")(x))
    return keras.Model(entry, L.Dense(4, activation=last)(x))


def _samples(count: int) -> Any:
    return np.random.default_rng(0).normal(size=(count, 10, 10, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and samples."""
    folder = tmp_path_factory.mktemp("schemes")
    _network("softmax").save(folder / "net.keras")
    np.savez(folder / "samples.npz", x=_samples(40))
    return folder


def _quantized(files: Path, scheme: Scheme) -> Graph:
    model = load.load(files / "net.keras")
    return quantize.quantize(model, data.make((_samples(40),)), scheme=scheme)


def _types(made: Graph) -> list[str]:
    return [made.tensors[i].dtype for i in (*made.inputs, *made.outputs)]


def test_int16x8_is_closer_to_the_float_model_than_int8(files: Path) -> None:
    samples = data.make((_samples(40),))
    expected = load.predict(load.load(files / "net.keras"), samples)[0]
    errors = []
    for scheme in quantize.SCHEMES:
        made = _quantized(files, scheme)
        reference = verify.reference(made)
        assert reference is not None
        tensor = made.tensors[made.outputs[0]]
        scale, zero = (
            (1.0, 0)
            if tensor.quantization is None
            else (tensor.quantization.scales[0], tensor.quantization.zero_points[0])
        )
        outputs = [reference.run((sample,))[0] for sample in data.to_input(made, 0, samples.inputs[0])]
        real = (np.concatenate(outputs).astype(np.float64) - zero) * scale
        errors.append(float(np.abs(real - expected).max()))
    int8, int16x8, float32 = errors
    assert float32 < 1e-5 < int16x8 < int8 / 3


@pytest.mark.parametrize(
    ("scheme", "dtype"), [("int8", "int8"), ("int16x8", "int16"), ("float32", "float32")]
)
def test_types_of_the_ends(files: Path, scheme: Scheme, dtype: str) -> None:
    made = _quantized(files, scheme)
    assert _types(made) == [dtype, dtype]
    assert made.constant_bytes(made.nodes[0]) > 0


def test_float32_without_exponentials_is_exact() -> None:
    model = load.from_keras(_network("linear"), "net")
    made = quantize.quantize(model, scheme="float32")
    assert verify.tolerance(made) is None
    assert_equal_to_reference(made, [(sample[None],) for sample in _samples(3)])


@pytest.mark.parametrize("board_id", BOARDS)
@pytest.mark.parametrize("scheme", ["int16x8", "float32"])
def test_on_a_device(files: Path, tmp_path: Path, scheme: Scheme, board_id: str) -> None:
    calibration = None if scheme == "float32" else Source(str(files / "samples.npz"))
    recipe = Recipe(calibration, scheme=scheme)
    found = pipeline.deploy(
        files / "net.keras", board_id, out=tmp_path / "p", data=files / "samples.npz", calibration=recipe
    )
    report.require_agreement(found.agreement, board_id)
    assert found.agreement is not None
    assert found.agreement.inputs == 40
    if scheme == "int16x8":
        assert (found.agreement.mismatched_bytes, found.agreement.compared_bytes) == (0, 40 * 4 * 2)
    else:
        # Few units in the last place: what is allowed is a hundred times as much.
        assert found.agreement.tolerance is not None
        assert found.agreement.max_difference <= 8


def test_the_command_line(files: Path, tmp_path: Path) -> None:
    model, out = str(files / "net.keras"), tmp_path / "q.tflite"
    with pytest.raises(SystemExit) as ended:
        main(["quantize", model, "--scheme", "float32", "-o", str(out)])
    assert ended.value.code == 0
    assert _types(graph.read(out.read_bytes(), "q")) == ["float32", "float32"]


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (Recipe(scheme="int16x8"), "has to be quantised, which takes samples"),
        (Recipe(Source("samples.npz"), scheme="float32"), "float32 takes no calibration samples"),
        (Recipe(scheme="float32", output_type="int8"), "float32 has no outputs of int8"),
        (Recipe(calibrate_randomly=True, scheme="int16x8", input_type="uint8"), "no inputs of uint8"),
        (Recipe(calibrate_randomly=True, scheme="int8", input_type="int16"), "no inputs of int16"),
    ],
)
def test_what_does_not_go_together(files: Path, recipe: Recipe, says: str) -> None:
    with pytest.raises(InputError) as caught:
        pipeline.load_graph(files / "net.keras", recipe)
    assert says in caught.value.message


def test_a_layer_without_a_form_in_the_scheme_is_refused() -> None:
    x = entry = keras.Input((6, 6, 2))
    model = load.from_keras(keras.Model(entry, L.ELU()(L.Conv2D(2, 3)(x))), "net")
    with pytest.raises(InputError) as caught:
        quantize.quantize(model, randomly=True, scheme="int16x8")
    assert "ELU" in caught.value.message
    assert "no int16x8 form" in caught.value.hint
