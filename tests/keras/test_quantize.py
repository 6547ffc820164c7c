"""int8 quantisation: repeatable, close to the float model, and refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, data, graph, load, ops, passes, quantize
from microwright.errors import InputError

keras = _tensorflow.keras()
L = keras.layers


@pytest.fixture(scope="module")
def network() -> load.Model:
    keras.utils.set_random_seed(2)
    x = entry = keras.Input((8, 8, 2))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3)(x)))
    x = L.Dense(4, activation="softmax")(L.Flatten()(x))
    return load.from_keras(keras.Model(entry, x), "net")


@pytest.fixture(scope="module")
def samples() -> data.Data:
    return data.make((np.random.default_rng(0).normal(size=(50, 8, 8, 2)).astype(np.float32),))


def run(made: graph.Graph, x: Any) -> Any:
    """Real outputs of the int8 model, by TensorFlow's own interpreter."""
    tf = _tensorflow.tensorflow()
    with _tensorflow.Quiet():
        interpreter = tf.lite.Interpreter(model_content=made.flatbuffer)
        interpreter.allocate_tensors()
    entry, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = out["quantization"]
    rows = []
    for sample in data.to_input(made, 0, x):
        interpreter.set_tensor(entry["index"], sample)
        interpreter.invoke()
        rows.append((interpreter.get_tensor(out["index"])[0].astype(np.float32) - zero_point) * scale)
    return np.array(rows)


def test_int8_is_close_to_float(network: load.Model, samples: data.Data) -> None:
    made = quantize.quantize(network, samples)
    assert [made.tensors[i].dtype for i in (*made.inputs, *made.outputs)] == ["int8", "int8"]
    assert made.tensors[made.inputs[0]].shape == (1, 8, 8, 2)
    assert made.name == "net"
    assert [node.op for node in made.nodes] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    expected = load.predict(network, samples)[0]
    assert np.abs(run(made, samples.inputs[0]) - expected).max() < 0.05


def test_indices_stay_integers() -> None:
    """An Embedding with a position and a mask; its outputs are those of TensorFlow's interpreter."""
    keras.utils.set_random_seed(3)
    entry = keras.Input((5,), dtype="int32")
    x = L.Embedding(12, 6, mask_zero=True)(entry) + L.Embedding(5, 6)(keras.ops.arange(5))
    network = load.from_keras(keras.Model(entry, L.Dense(3)(L.GlobalAveragePooling1D()(x))), "text")
    words = data.make((np.random.default_rng(4).integers(0, 12, (40, 5)),))
    made = quantize.quantize(network, words)
    assert [made.tensors[i].dtype for i in (*made.inputs, *made.outputs)] == ["int32", "int8"]
    ops.check(passes.run(made))
    expected = load.predict(network, words)[0]
    assert np.abs(run(made, words.inputs[0]) - expected).max() < 0.05


def test_the_same_bytes_twice(network: load.Model, samples: data.Data) -> None:
    first, second = (quantize.quantize(network, samples).flatbuffer for _ in range(2))
    assert first == second


def test_the_file_and_the_model_in_memory_give_the_same(
    tmp_path: Path, network: load.Model, samples: data.Data
) -> None:
    load.save(network.keras, tmp_path / "net.keras")
    loaded = load.load(tmp_path / "net.keras")
    assert quantize.quantize(loaded, samples).flatbuffer == quantize.quantize(network, samples).flatbuffer


def test_a_saved_model_folder(tmp_path: Path, network: load.Model, samples: data.Data) -> None:
    assert network.keras is not None
    network.keras.export(tmp_path / "net", verbose=False)
    made = quantize.quantize(load.load(tmp_path / "net"), samples)
    assert [node.op for node in made.nodes] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert np.abs(run(made, samples.inputs[0]) - load.predict(network, samples)[0]).max() < 0.05


def test_several_inputs_keep_their_order() -> None:
    keras.utils.set_random_seed(0)
    a, b = keras.Input((3,), name="z"), keras.Input((5,), name="a")
    net = keras.Model([a, b], L.Dense(2)(L.Concatenate()([a, b])))
    rng = np.random.default_rng(0)
    both = data.make((rng.normal(size=(20, 3)), rng.normal(size=(20, 5))))
    made = quantize.quantize(load.from_keras(net, "net"), both)
    assert [made.tensors[i].shape for i in made.inputs] == [(1, 3), (1, 5)]


def test_a_list_in_a_dictionary_of_outputs() -> None:
    keras.utils.set_random_seed(0)
    entry = keras.Input((6,))
    net = keras.Model(entry, {"p": [L.Dense(2)(entry), L.Dense(3)(entry)]})
    given = data.make((np.random.default_rng(0).normal(size=(20, 6)),))
    model = load.from_keras(net, "net")
    made = quantize.quantize(model, given)
    assert made.output_names == ("output_0", "output_1")
    assert [made.tensors[i].shape for i in made.outputs] == [(1, 2), (1, 3)]
    assert [each.shape for each in load.predict(model, given)] == [(20, 2), (20, 3)]


def test_nothing_is_printed(
    network: load.Model, samples: data.Data, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = []
    quantize.quantize(network, samples, progress=lambda *step: (seen.append(step), print(step[0]))[0])
    said = capfd.readouterr()
    assert seen[-1] == ("quantise", 50, 50)
    # What the caller prints while it is told of the progress gets through, and nothing else.
    assert said.out.split() == ["quantise"] * 51
    assert said.err == ""


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.ones((9, 8, 8, 2)), "9 calibration samples, at least 10 are needed"),
        (np.ones((20, 8, 8, 2)), "all calibration samples of input 0 are equal"),
        (np.ones((20, 8, 8, 1)), "expected samples of shape 8x8x2, got 8x8x1"),
        (np.arange(2560.0).reshape(20, 8, 8, 2) * 1e37, "values too large for float32"),
    ],
)
def test_data_that_cannot_calibrate(network: load.Model, x: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        quantize.quantize(network, data.make((x,)))


def test_a_layer_without_int8_is_refused_with_the_converters_reason() -> None:
    x = entry = keras.Input((8,))
    net = keras.Model(entry, keras.ops.erf(L.Dense(4)(x)))
    samples = data.make((np.random.default_rng(0).normal(size=(20, 8)),))
    with pytest.raises(InputError) as error:
        quantize.quantize(load.from_keras(net, "net"), samples)
    assert "converter failed" in error.value.message
    assert "rf" in error.value.message
    assert "\n" not in error.value.message


def test_a_tflite_file_is_no_keras_model(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    model = load.load(tmp_path / "net.tflite")
    with pytest.raises(InputError, match="a Keras model is needed"):
        quantize.quantize(model, data.make((np.ones((20, 2)),)))


def test_reference_models(shared_models: Path) -> None:
    """Keras 2 models of the field: every operator has a kernel."""
    from microwright import ops

    for name in ("ad", "ic", "vww"):
        model = load.load(shared_models / f"{name}.h5")
        x = np.random.default_rng(0).uniform(size=(10, *load.input_shapes(model)[0]))
        ops.check(quantize.quantize(model, data.make((x,))))


def recurrent() -> Any:
    keras.utils.set_random_seed(0)
    x = entry = keras.Input((6, 3))
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(x)
    return keras.Model(entry, L.Dense(2)(L.GRU(3)(x)))


def sequences() -> data.Data:
    return data.make((np.random.default_rng(0).normal(size=(20, 6, 3)).astype(np.float32),))


def test_recurrent_layers_are_unrolled_and_stay_as_they_were() -> None:
    looping = recurrent()
    made = quantize.quantize(load.from_keras(looping, "net"), sequences())
    assert {"FULLY_CONNECTED", "LOGISTIC", "TANH"} <= {node.op for node in made.nodes}
    assert [layer.unroll for layer in looping.layers if hasattr(layer, "unroll")] == [False]
    expected = load.predict(load.from_keras(looping, "net"), sequences())[0]
    assert np.abs(run(made, sequences().inputs[0]) - expected).max() < 0.05


def test_keras_2_layers_are_unrolled() -> None:
    legacy = _tensorflow.keras_2()
    assert legacy is not None
    x = entry = legacy.Input((6, 3))
    net = legacy.Model(
        entry, legacy.layers.Dense(2)(legacy.layers.LSTM(4)(legacy.layers.GRU(3, return_sequences=True)(x)))
    )
    made = quantize.quantize(load.Model(Path("net"), "net", "", "keras", net, None), sequences())
    assert {"LOGISTIC", "TANH", "FULLY_CONNECTED"} <= {node.op for node in made.nodes}


def test_a_loop_is_refused_before_it_crashes_the_converter(tmp_path: Path) -> None:
    recurrent().export(tmp_path / "net", verbose=False)
    with pytest.raises(InputError, match="is a loop, which has no int8 form") as error:
        quantize.quantize(load.load(tmp_path / "net"), sequences())
    assert "unroll=True" in error.value.hint


def test_random_samples_do_not_fill_the_memory() -> None:
    x = keras.Input((99999, 99999, 3))
    huge = load.from_keras(keras.Model(x, keras.layers.ReLU()(x)), "huge")

    with pytest.raises(InputError, match="100 random samples of its inputs take more"):
        quantize.quantize(huge, randomly=True)
