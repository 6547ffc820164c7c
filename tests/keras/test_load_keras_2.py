"""Files of Keras 2, as they are and as tensorflow-model-optimization leaves them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, cli, data, load
from microwright.compress import prune_channels
from microwright.data import Data
from microwright.errors import InputError, ToolMissing
from microwright.graph import Graph, Tensor
from microwright.quantize import quantize
from microwright.samples import inputs as graph_inputs

keras = _tensorflow.keras()
h5py = _tensorflow.h5py()
legacy: Any = _tensorflow.keras_2()

_DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def samples() -> Data:
    return data.make((np.random.default_rng(0).normal(size=(12, 6, 6, 2)).astype(np.float32),))


def net(arithmetic: bool = False) -> Any:
    """A model of Keras 2; Keras 3 cannot read the arithmetic."""
    entry = legacy.Input((6, 6, 2), name="image")
    x = legacy.layers.Conv2D(4, 3, name="conv")(entry * 2.0 if arithmetic else entry)
    return legacy.Model(entry, legacy.layers.Dense(3, name="dense")(legacy.layers.Flatten()(x)), name="net")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("arithmetic", [False, True])
def test_files_of_keras_2_load_by_themselves(
    tmp_path: Path, samples: Data, suffix: str, arithmetic: bool, caplog: pytest.LogCaptureFixture
) -> None:
    model = net(arithmetic)
    path = tmp_path / f"net{suffix}"
    with _tensorflow.Quiet():
        model.save(path)
    loaded = load.load(path)
    np.testing.assert_allclose(load.predict(loaded, samples)[0], model(samples.inputs[0]), atol=1e-6)
    # What Keras 3 can compute, is a model of Keras 3, which can be pruned.
    assert isinstance(loaded.keras, legacy.Model if arithmetic else keras.Model)
    notes = [record.getMessage() for record in caplog.records if record.name == "microwright"]
    told = arithmetic or suffix == ".keras"
    assert notes == ([f"{path}: a file of Keras 2, read with tf_keras {legacy.__version__}"] * told)
    if arithmetic:
        with pytest.raises(InputError, match="only Keras 3"):
            prune_channels(loaded.keras, sparsity=0.5)
    else:
        prune_channels(loaded.keras, sparsity=0.5)


def test_a_saved_model_of_keras_2(tmp_path: Path, samples: Data) -> None:
    model = net()
    with _tensorflow.Quiet():
        model.save(tmp_path / "net", save_format="tf")
    loaded = load.load(tmp_path / "net")
    assert [entry.name for entry in load.inputs(loaded)] == ["image"]
    np.testing.assert_allclose(load.predict(loaded, samples)[0], model(samples.inputs[0]), atol=1e-6)


def test_the_command_line_says_once_that_keras_2_reads_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _tensorflow.Quiet():
        net().save(tmp_path / "net.keras")
    assert cli.execute(["inspect", str(tmp_path / "net.keras")]) == 0
    said = capsys.readouterr().err
    assert said.count("note: ") == 1
    assert "read with tf_keras" in said


def test_without_keras_3_its_files_are_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow 2.15 has Keras 2 alone."""
    entry = keras.Input((2,))
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"net{suffix}"
        with _tensorflow.Quiet():
            keras.Model(entry, keras.layers.Dense(1)(entry)).save(path)
        with monkeypatch.context() as patch:
            patch.setattr(_tensorflow, "keras_3", lambda: None)
            with pytest.raises(ToolMissing, match="is a file of Keras 3, which is not installed"):
                load.load(path)


def test_a_file_of_keras_215_says_where_its_classes_were(tmp_path: Path, samples: Data) -> None:
    """`keras.src`, which is another package now."""
    model = net(arithmetic=True)
    path = tmp_path / "net.keras"
    with _tensorflow.Quiet():
        model.save(path)
    _replace(path, lambda text: text.replace("tf_keras.src.", "keras.src.").replace("tf_keras", "keras"))
    outputs = load.predict(load.load(path), samples)[0]
    np.testing.assert_allclose(outputs, model(samples.inputs[0]), atol=1e-6)


def test_without_tf_keras_the_hint_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _tensorflow.Quiet():
        net().save(tmp_path / "net.keras")
    monkeypatch.setattr(_tensorflow, "keras_2", lambda: None)
    with pytest.raises(ToolMissing, match="tf_keras, which reads it, is not installed") as error:
        load.load(tmp_path / "net.keras")
    assert error.value.hint == "pip install --upgrade 'microwright[keras]'"


@pytest.mark.parametrize(
    "function", ["io.write_file", "io.gfile.rmtree", "py_function", "load_op_library", "keras.utils.get_file"]
)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_functions_that_do_more_than_compute_are_refused(tmp_path: Path, suffix: str, function: str) -> None:
    path = tmp_path / f"net{suffix}"
    with _tensorflow.Quiet():
        net(arithmetic=True).save(path)
    _replace(path, lambda text: text.replace('"math.multiply"', json.dumps(function)))
    with pytest.raises(InputError, match=rf"calls tf\.{function}, which does not only compute"):
        load.load(path)


@pytest.mark.parametrize("module", ["keras.utils", "tf_keras.src.utils.data_utils", "builtins"])
def test_functions_of_keras_that_do_more_than_compute_are_refused(tmp_path: Path, module: str) -> None:
    path = tmp_path / "net.keras"
    with _tensorflow.Quiet():
        net().save(path)
    name = "exec" if module == "builtins" else "get_file"
    function = json.dumps({"class_name": "function", "config": name, "module": module})
    _replace(path, lambda text: text.replace('"activation": "linear"', f'"activation": {function}'))
    with pytest.raises(InputError, match=f"custom class '{name}'"):
        load.load(path)


def test_pruned_keras_files_lose_their_wrappers(tmp_path: Path) -> None:
    """A `.keras` that a step of training left after the pruning: its masks hold, and Keras 3 has it."""
    known = np.load(_DATA / "pruned_keras_with_tfmot.npz")
    loaded = load.load(_DATA / "pruned_keras_with_tfmot.keras")
    model: Any = loaded.keras
    assert isinstance(model, keras.Model)
    assert [layer.name for layer in model.layers[1:]] == ["first", "flat", "last"]
    outputs = load.predict(loaded, data.make((known["x"],)))[0]
    np.testing.assert_allclose(outputs, known["outputs"], atol=1e-6)
    for name in ("first", "last"):
        assert (np.asarray(model.get_layer(name).kernel) == 0).mean() == 0.75


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_trained_ranges_are_the_scales_of_int8(suffix: str) -> None:
    known = np.load(_DATA / "quantized_with_tfmot.npz")
    loaded = load.load(_DATA / f"quantized_with_tfmot{suffix}")
    x = data.make((known["x"],))
    np.testing.assert_allclose(load.predict(loaded, x)[0], known["outputs"], atol=1e-6)
    # Samples far outside the trained ranges set nothing.
    graph = quantize(loaded, data.make((100 * np.repeat(known["x"], 3, axis=0),)))
    assert _scales(graph) == pytest.approx(_trained(_DATA / "quantized_with_tfmot.h5"), rel=1e-6)


def _trained(path: Path) -> list[float]:
    """(max - min) / 255 of all values' ranges in the file, in the order of the layers that make them."""
    with h5py.File(path) as file:
        found = {}

        def visit(name: str, item: Any) -> None:
            if name.endswith("_min:0") and "kernel" not in name:
                low, high = item[()], file["model_weights"][name.replace("_min:0", "_max:0")][()]
                found[name.split("/")[-2]] = float(high - low) / 255

        file["model_weights"].visititems(visit)
    order = ("quantize_layer", "quant_relu", "quant_dw", "quant_add", "quant_mean", "quant_last")
    return [found[name] for name in order]


def _scales(graph: Graph) -> list[float]:
    """Of the values as they are made; the softmax at the end has a fixed one."""

    def scale(tensor: Tensor) -> float:
        assert tensor.quantization is not None
        return tensor.quantization.scales[0]

    made = [graph.tensors[node.outputs[0]] for node in graph.nodes]
    return [scale(graph.tensors[graph.inputs[0]]), *map(scale, made[:-1])]


def test_trained_ranges_of_weights_are_their_scales() -> None:
    """The convolution's are folded with its batch normalisation, the others stay as trained."""
    graph = quantize(
        load.load(_DATA / "quantized_with_tfmot.h5"),
        data.make((np.random.default_rng(0).normal(size=(12, 6, 6, 2)).astype(np.float32),)),
    )
    with h5py.File(_DATA / "quantized_with_tfmot.h5") as file:
        weights = file["model_weights"]
        dense = weights["quant_last/quant_last/kernel_max:0"][()] / 127
        depthwise = weights["quant_dw/quant_dw/depthwise_kernel_max:0"][()] / 127
    scales = {
        node.op: graph.tensors[node.inputs[1]].quantization for node in graph.nodes if len(node.inputs) > 2
    }
    assert scales["FULLY_CONNECTED"] is not None and scales["DEPTHWISE_CONV_2D"] is not None
    np.testing.assert_allclose(scales["FULLY_CONNECTED"].scales, dense, rtol=1e-6)
    np.testing.assert_allclose(scales["DEPTHWISE_CONV_2D"].scales, depthwise[0], rtol=1e-6)
    assert [entry.name for entry in graph_inputs(graph)] == ["image"]


def test_ranges_that_were_never_trained_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes((_DATA / "quantized_with_tfmot.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file["model_weights/quant_add/quant_add/output_max:0"][...] = -7.0
    with pytest.raises(InputError, match="layer 'quant_add': the range of output is empty"):
        load.load(path)


def test_a_way_of_quantising_that_is_not_known_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes((_DATA / "quantized_with_tfmot.keras").read_bytes())
    _replace(path, lambda text: text.replace("Default8BitConvQuantizeConfig", "MyConfig"))
    with pytest.raises(InputError, match=r"net\.keras: layer 'quant_conv' has the unknown MyConfig"):
        load.load(path)


def test_a_model_with_trained_ranges_is_not_pruned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = str(_DATA / "quantized_with_tfmot.keras")
    out = tmp_path / "out.keras"
    assert cli.execute(["prune", given, "--sparsity", "0.5", "-o", str(out)]) == 3
    assert "only Keras 3" in capsys.readouterr().err
    assert not out.exists()


def _replace(path: Path, change: Any) -> None:
    """Change the configuration in a `.keras` or `.h5`."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = change(file.attrs["model_config"])
        return
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["config.json"] = change(content["config.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in content.items():
            archive.writestr(name, member)
