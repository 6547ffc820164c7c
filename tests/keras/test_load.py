"""Keras files of every kind, and those that are refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, data, load
from microwright.errors import InputError, OutputError

keras = _tensorflow.keras()
tf = _tensorflow.tensorflow()
h5py = _tensorflow.h5py()
L = keras.layers


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(1)
    x = entry = keras.Input((6, 6, 2))
    x = L.DepthwiseConv2D(3, name="dw")(x)
    return keras.Model(entry, L.Dense(3, activation="softmax")(L.Flatten()(x)), name="net")


@pytest.fixture(scope="module")
def samples() -> data.Data:
    return data.make((np.random.default_rng(0).normal(size=(5, 6, 6, 2)).astype(np.float32),))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_model_computes_the_same(tmp_path: Path, model: Any, samples: data.Data, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    with _tensorflow.Quiet():
        model.save(path)
    loaded = load.load(path)
    assert (loaded.kind, loaded.name) == ("keras", "net")
    assert load.input_shapes(loaded) == ((6, 6, 2),)
    np.testing.assert_array_equal(load.predict(loaded, samples)[0], model(samples.inputs[0]))


def test_a_saved_model_folder(tmp_path: Path, model: Any, samples: data.Data) -> None:
    model.export(tmp_path / "net", verbose=False)
    loaded = load.load(tmp_path / "net")
    assert (loaded.kind, loaded.name) == ("saved_model", "net")
    assert load.input_shapes(loaded) == ((6, 6, 2),)
    np.testing.assert_allclose(load.predict(loaded, samples)[0], model(samples.inputs[0]), atol=1e-6)
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"\x0a\xff\xff\xff\x7f")
    with pytest.raises(InputError, match="damaged"):
        load.load(tmp_path / "net")


def read_file(file: str, x: Any) -> Any:
    return x + tf.cast(tf.strings.length(tf.io.read_file(file)), tf.float32)


def write_variables(file: str, x: Any) -> Any:
    """Only in one branch: a function in a function."""

    def save() -> Any:
        tf.raw_ops.SaveV2(prefix=file, tensor_names=["x"], shape_and_slices=[""], tensors=[x])
        return x

    return tf.cond(x[0, 0] > 0, save, lambda: x)


def debug(file: str, x: Any) -> Any:
    return tf.raw_ops.DebugIdentity(input=x, debug_urls=[f"file://{file}"])


def table(file: str, x: Any) -> Any:
    handle = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=handle, filename=file, key_index=-2, value_index=-1, vocab_size=-1, delimiter=" "
    )
    return x


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (read_file, "ReadFile"),
        (write_variables, "SaveV2"),
        (debug, "DebugIdentity"),
        (table, "InitializeTableFromTextFileV2"),
    ],
)
def test_a_saved_model_that_touches_files_is_refused(tmp_path: Path, function: Any, operator: str) -> None:
    class Evil(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([1, 2], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return function(str(tmp_path / "file"), x)

    tf.saved_model.save(Evil(), str(tmp_path / "evil"))
    with pytest.raises(InputError, match=f"the operator {operator} "):
        load.load(tmp_path / "evil")
    assert not (tmp_path / "file").exists()


def test_a_saved_model_of_tensorflow_1_reads_its_variables_alone(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (1, 2))
        y = tf.matmul(x, v1.get_variable("weights", initializer=[[1.0], [2.0]]))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "net"), {"x": x}, {"y": y})
    loaded = load.load(tmp_path / "net")
    assert load.predict(loaded, data.make((np.ones((1, 2), np.float32),)))[0].tolist() == [[3.0]]


def test_keras_2_reference_models(shared_models: Path) -> None:
    """vww has an option that Keras 3 refuses."""
    shapes = {"ad": (640,), "ic": (32, 32, 3), "vww": (96, 96, 3)}
    for name, shape in shapes.items():
        loaded = load.load(shared_models / f"{name}.h5")
        assert isinstance(loaded.keras, keras.Model)
        assert load.input_shapes(loaded) == (shape,)


def test_saving_is_repeatable_and_whole(tmp_path: Path, model: Any) -> None:
    for name in ("a", "b"):
        load.save(model, tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.keras", "b.keras"]
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert b"date" not in archive.read("metadata.json")
    np.testing.assert_array_equal(
        load.load(tmp_path / "a.keras").keras.get_weights()[0], model.get_weights()[0]
    )
    with pytest.raises(OutputError, match=r"a\.keras/b\.keras"):
        load.save(model, tmp_path / "a.keras" / "b.keras")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_not_run(tmp_path: Path, suffix: str) -> None:
    marker = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    layer = L.Lambda(eval(f"lambda x: x if {code} is None else x"), output_shape=(2,), name="evil")
    net = keras.Sequential([keras.Input((2,)), layer])
    path = tmp_path / f"evil{suffix}"
    with _tensorflow.Quiet():
        net.save(path)
    marker.unlink(missing_ok=True)
    with pytest.raises(InputError, match="layer 'evil' is a Lambda"):
        load.load(path)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_damaged_files_are_refused(tmp_path: Path, model: Any, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    with _tensorflow.Quiet():
        model.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for size in [0, 4, 8, 20, *rng.integers(20, len(whole), 8)]:
        path.write_bytes(whole[:size])
        with pytest.raises(InputError) as error:
            load.load(path)
        assert "\n" not in error.value.message + error.value.hint


def test_weights_alone_are_no_model(tmp_path: Path, model: Any) -> None:
    model.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(InputError, match="not a Keras model with its weights"):
        load.load(tmp_path / "net.weights.h5")


def test_a_layer_that_keras_does_not_know(tmp_path: Path, model: Any) -> None:
    load.save(model, tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as old, zipfile.ZipFile(tmp_path / "odd.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"DepthwiseConv2D"', b'"NoSuchLayer"'))
    with pytest.raises(InputError, match=r"odd\.keras: Keras cannot read it"):
        load.load(tmp_path / "odd.keras")


def test_an_h5_with_an_unknown_layer_names_the_way_out(tmp_path: Path, model: Any) -> None:
    path = tmp_path / "net.h5"
    with _tensorflow.Quiet():
        model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = "NoSuchLayer"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(InputError, match=r"Keras cannot read it: .*NoSuchLayer") as error:
        load.load(path)
    assert "--custom" in error.value.hint


def test_data_of_another_shape(model: Any) -> None:
    named = load.from_keras(model, "net")
    with pytest.raises(InputError, match="expected samples of shape 6x6x2, got 6x6"):
        load.predict(named, data.make((np.ones((3, 6, 6)),)))
    with pytest.raises(InputError, match="the model has 1 inputs, the data 2"):
        load.predict(named, data.make((np.ones((3, 6, 6, 2)), np.ones((3, 1)))))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("trick", ["external link", "soft link", "external data", "huge"])
def test_weights_that_are_elsewhere_or_endless_are_refused(
    tmp_path: Path, model: Any, suffix: str, trick: str
) -> None:
    path = tmp_path / f"net{suffix}"
    with _tensorflow.Quiet():
        model.save(path)
    inside = path
    if suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        inside = tmp_path / "weights.h5"
        inside.write_bytes(members["model.weights.h5"])
    with h5py.File(inside, "r+") as file:
        if trick == "external link":
            file["other"] = h5py.ExternalLink("/etc/secret.h5", "/x")
        elif trick == "soft link":
            file["other"] = h5py.SoftLink("/x")
        elif trick == "external data":
            file.create_dataset("other", (4,), "u1", external=[("/etc/passwd", 0, 4)])
        else:
            file.create_dataset("other", (1 << 40,), "f4", chunks=(1 << 10,))
    if suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members, "model.weights.h5": inside.read_bytes()}.items():
                archive.writestr(name, content)
    says = {"external data": "'other' is in another file", "huge": "bytes of weights, more than"}
    with pytest.raises(InputError, match=says.get(trick, "'other' is a link")):
        load.load(path)
