"""What users say of a model to load it: their own code, a signature, sizes that it leaves open."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, cli, data, load, pipeline, samples, sources
from microwright.errors import InputError

keras = _tensorflow.keras()
tf = _tensorflow.tensorflow()
L = keras.layers

_CODE = """
import keras

class Double(keras.layers.Layer):
    def call(self, x):
        return 2 * x

@keras.saving.register_keras_serializable(package="mine")
class Triple(Double):
    def call(self, x):
        return 3 * x

def swish_like(x):
    return x * keras.ops.sigmoid(x)

class Net(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The user's module `my_layers`, in the working folder; loading starts without it."""
    (tmp_path / "my_layers.py").write_text(_CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_layers  # type: ignore[import-not-found]

    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("my_layers")
    yield my_layers
    sys.modules.pop("my_layers", None)


def custom_net(code: Any) -> Any:
    entry = keras.Input((3,), name="x")
    x = code.Double()(L.Dense(3, activation=code.swish_like)(entry))
    return keras.Model(entry, code.Triple()(x))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_objects_are_the_users(tmp_path: Path, code: Any, suffix: str) -> None:
    model = custom_net(code)
    path = tmp_path / f"net{suffix}"
    with _tensorflow.Quiet():
        model.save(path)
    with pytest.raises(InputError, match=r"Double|swish_like|Triple") as error:
        load.load(path)
    assert "--custom" in error.value.hint
    objects: dict[str, Any] = {}
    for name in ("Double", "Triple", "swish_like"):
        objects |= load.custom_object(f"my_layers:{name}")
    loaded = load.load(path, custom_objects=objects)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(load.predict(loaded, data.make((x,)))[0], model(x), atol=1e-6)


def test_custom_objects_on_the_command_line(
    tmp_path: Path, code: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    custom_net(code).save(tmp_path / "net.keras")
    names = [f"--custom=my_layers:{name}" for name in ("Double", "Triple", "swish_like")]
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=rng.normal(size=(30, 3)).astype(np.float32))
    given = ["net.keras", "--calibration", "x.npz", *names]
    assert cli.execute(["quantize", *given, "-o", "net.tflite"]) == 0
    assert cli.execute(["inspect", "net.keras", *names]) == 0
    assert cli.execute(["verify", "net.keras", "net.tflite", "--data", "x.npz", *names]) == 0
    assert cli.execute(["deploy", *given, "--board", "host", "-o", "project"]) == 0, capsys.readouterr().err
    assert "internal" not in capsys.readouterr().err


def test_verify_alone_says_how_a_keras_model_comes_to_an_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = keras.Input((3,))
    keras.Model(entry, L.Dense(2)(entry)).save(tmp_path / "net.keras")
    assert cli.execute(["verify", str(tmp_path / "net.keras")]) == 3
    said = capsys.readouterr().err
    assert "net.keras is no .tflite, which is what an engine runs" in said
    assert "microwright quantize" in said
    assert "--calibration" not in said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Double", "no custom object"),
        ("my_layers:", "no custom object"),
        ("nowhere:Double", "importing nowhere failed: ModuleNotFoundError"),
        ("my_layers:Quadruple", "my_layers has no 'Quadruple'"),
    ],
)
def test_custom_objects_that_are_not_there(code: Any, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load.custom_object(name)


def test_a_model_class_of_the_users_gets_its_shape(tmp_path: Path, code: Any) -> None:
    model = code.Net(name="net")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    expected = model(x)
    model.save(tmp_path / "net.keras")
    objects = load.custom_object("my_layers:Net")
    with pytest.raises(InputError, match="does not know its input shape") as error:
        load.load(tmp_path / "net.keras", custom_objects=objects)
    assert "--input-shape" in error.value.hint
    loaded = load.load(tmp_path / "net.keras", custom_objects=objects, input_shapes=(3,))
    np.testing.assert_allclose(load.predict(loaded, data.make((x,)))[0], expected, atol=1e-6)


class TwoHeads(tf.Module):  # type: ignore[misc]
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="image")])
    def double(self, image: Any) -> Any:
        return {"out": image * 2.0}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="sound")])
    def triple(self, sound: Any) -> Any:
        return {"out": sound * 3.0}


def test_a_signature_is_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = TwoHeads()
    folder = tmp_path / "net"
    signatures = {"double": module.double, "triple": module.triple}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    with pytest.raises(InputError, match="several signatures: double, triple") as error:
        load.load(folder)
    assert "--signature" in error.value.hint
    with pytest.raises(InputError, match="no signature 'quadruple'") as error:
        load.load(folder, signature="quadruple")
    assert error.value.hint == "choose one of: double, triple"
    x = data.make((np.ones((12, 4), np.float32) * np.arange(12, dtype=np.float32)[:, None],))
    np.testing.assert_array_equal(load.predict(load.load(folder, signature="double"), x)[0], x.inputs[0] * 2)
    open_size = load.load(folder, signature="triple")
    with pytest.raises(InputError, match="'sound' has the shape \\?: a size is not fixed") as error:
        load.predict(open_size, x)
    assert "--input-shape" in error.value.hint
    fixed = load.load(folder, signature="triple", input_shapes={"sound": (4,)})
    np.testing.assert_array_equal(load.predict(fixed, x)[0], x.inputs[0] * 3)
    np.save(tmp_path / "x.npy", x.inputs[0])
    options = ["--signature", "triple", "--input-shape", "4", "--calibration", str(tmp_path / "x.npy")]
    assert cli.execute(["quantize", str(folder), *options, "-o", str(tmp_path / "net.tflite")]) == 0
    graph = pipeline.load_graph(tmp_path / "net.tflite")
    assert [entry.name for entry in samples.inputs(graph)] == ["sound"]


def test_a_module_without_signature_or_with_one(tmp_path: Path) -> None:
    class Bare(tf.Module):  # type: ignore[misc]
        @tf.function
        def __call__(self, x: Any) -> Any:
            return x

    tf.saved_model.save(Bare(), str(tmp_path / "bare"))
    with pytest.raises(InputError, match="has no signature") as error:
        load.load(tmp_path / "bare")
    assert "signatures=" in error.value.hint
    module = TwoHeads()
    tf.saved_model.save(module, str(tmp_path / "one"), signatures={"only": module.double})
    assert load.input_shapes(load.load(tmp_path / "one")) == ((4,),)


def test_a_saved_model_for_batches_of_eight_is_refused(tmp_path: Path) -> None:
    class Eight(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([8, 4], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return x

    tf.saved_model.save(Eight(), str(tmp_path / "eight"))
    with pytest.raises(InputError, match="'x' has the shape 8x4, a fixed batch"):
        load.inputs(load.load(tmp_path / "eight"))


@pytest.fixture
def open_net(tmp_path: Path) -> Path:
    """Two inputs with open sizes."""
    keras.utils.set_random_seed(0)
    image, sound = keras.Input((None, None, 2), name="image"), keras.Input((None, 3), name="sound")
    x = L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(image))
    y = L.GlobalAveragePooling1D()(L.Conv1D(4, 3)(sound))
    model = keras.Model([image, sound], L.Dense(2)(L.Concatenate()([x, y])))
    model.save(tmp_path / "net.keras")
    return tmp_path / "net.keras"


def test_open_sizes_are_given_by_name(open_net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"the input 'image' has the shape \?x\?x2: a size is not fixed"):
        load.inputs(load.load(open_net))
    with pytest.raises(InputError, match="one shape for 2 inputs: image, sound"):
        load.load(open_net, input_shapes=(8, 8, 2))
    with pytest.raises(InputError, match="no input 'picture'") as error:
        load.load(open_net, input_shapes={"picture": (8, 8, 2)})
    assert error.value.hint == "the inputs are: image, sound"
    with pytest.raises(InputError, match=r"'image' has the shape \?x\?x2, not 8x8x3"):
        load.load(open_net, input_shapes={"image": (8, 8, 3)})
    with pytest.raises(InputError, match="does not take these shapes"):
        load.load(open_net, input_shapes={"image": (2, 2, 2), "sound": (5, 3)})
    model = load.load(open_net, input_shapes={"image": (8, 6, 2), "sound": (5, 3)})
    assert load.input_shapes(model) == ((8, 6, 2), (5, 3))
    rng = np.random.default_rng(0)
    x = {"image": rng.normal(size=(20, 8, 6, 2)), "sound": rng.normal(size=(20, 5, 3))}
    own = load.load(open_net).keras([array.astype(np.float32) for array in x.values()])
    arrays = open_net.with_name("x.npz")
    np.savez(arrays, sound=x["sound"].astype(np.float32), image=x["image"].astype(np.float32))
    named = sources.load(arrays, load.inputs(model))
    np.testing.assert_allclose(load.predict(model, named)[0], own, atol=1e-6)
    shapes = ["--input-shape", "image=8x6x2", "--input-shape", "sound=5x3"]
    out = open_net.with_suffix(".tflite")
    given = ["quantize", str(open_net), "--calibration", str(arrays), *shapes, "-o", str(out)]
    assert cli.execute(given) == 0, capsys.readouterr().err
    graph = pipeline.load_graph(out)
    assert {entry.name: entry.shape for entry in samples.inputs(graph)} == {
        "image": (8, 6, 2),
        "sound": (5, 3),
    }
    # The int8 model takes the same file, by the same names.
    assert pipeline.take_samples(graph, arrays, 1).inputs[0][0].shape[1:] == samples.inputs(graph)[0].shape
    pruned = open_net.with_name("pruned.keras")
    assert cli.execute(["prune", str(open_net), "--sparsity", "0.5", *shapes, "-o", str(pruned)]) == 0
    assert load.input_shapes(load.load(pruned)) == ((8, 6, 2), (5, 3))


def test_names_that_fit_no_input_are_listed(open_net: Path, tmp_path: Path) -> None:
    model = load.load(open_net, input_shapes={"image": (8, 6, 2), "sound": (5, 3)})
    np.savez(tmp_path / "x.npz", image=np.ones((2, 8, 6, 2)), noise=np.ones((2, 5, 3)))
    with pytest.raises(InputError, match=r"x \(or x0, x1, \.\.\.\) or image, sound.*found image, noise"):
        sources.load(tmp_path / "x.npz", load.inputs(model))


@pytest.mark.parametrize(
    "shapes", [["8x"], ["0x3"], ["image=8y8"], ["8x8", "9x9"], ["a=8", "9"], ["a=8", "a=9"]]
)
def test_shapes_that_cannot_be_read_are_exit_2(shapes: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = [f"--input-shape={shape}" for shape in shapes]
    assert cli.execute(["inspect", "net.keras", *options]) == 2
    assert "NAME=96x96x3" in capsys.readouterr().err


def test_a_batch_that_a_keras_model_fixes_is_one(tmp_path: Path) -> None:
    entry = keras.Input((4,), batch_size=8)
    model = keras.Model(entry, L.Dense(2)(entry))
    model.save(tmp_path / "net.keras")
    loaded = load.load(tmp_path / "net.keras")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    expected = x @ np.asarray(model.layers[1].kernel)
    np.testing.assert_allclose(load.predict(loaded, data.make((x,)))[0], expected, atol=1e-5)


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_a_model_that_takes_a_dictionary(tmp_path: Path, version: str) -> None:
    """Data is in the order of `load.inputs`, whatever the model's structure."""
    kit: Any = keras if version == "keras" else _tensorflow.keras_2()
    one, two = kit.Input((None, 2), name="z"), kit.Input((2,), name="a")
    left = kit.layers.GlobalMaxPooling1D()(one)
    model = kit.Model({"z": one, "a": two}, kit.layers.Subtract()([left, two]))
    model.save(tmp_path / "net.keras")
    loaded = load.load(tmp_path / "net.keras", input_shapes={"z": (3, 2)})
    np.savez(tmp_path / "x.npz", z=np.full((2, 3, 2), 5, np.float32), a=np.ones((2, 2), np.float32))
    outputs = load.predict(loaded, sources.load(tmp_path / "x.npz", load.inputs(loaded)))
    np.testing.assert_array_equal(outputs[0], np.full((2, 2), 4))


def test_options_of_other_kinds_of_files_are_refused(tmp_path: Path, open_net: Path) -> None:
    with pytest.raises(InputError, match="has no signatures"):
        load.load(open_net, signature="double")
    (tmp_path / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3 and so on")
    with pytest.raises(InputError, match=r"shapes in a \.tflite are fixed"):
        load.load(tmp_path / "net.tflite", input_shapes=(3,))


@pytest.mark.parametrize(
    "command", ["inspect", "compress", "prune", "quantize", "verify", "compile", "new", "deploy", "arrays"]
)
def test_every_command_that_takes_a_model_has_the_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert all(option in said for option in ("--custom", "--signature", "--input-shape"))
