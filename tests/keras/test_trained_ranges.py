"""Models that were trained for int8: what they bring is not asked for again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, cli, data, graph, load
from microwright import quantize as quantization
from microwright.errors import InputError
from microwright.quantize import quantize

tf = _tensorflow.tensorflow()
_TRAINED = str(Path(__file__).parent / "data" / "quantized_with_tfmot.keras")


class _Net(tf.Module):  # type: ignore[misc]
    """A convolution with trained ranges, and a product with or without; two outputs."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.whole = whole
        self.kernel = tf.Variable(rng.normal(size=(3, 3, 2, 4)).astype(np.float32))
        self.matrix = tf.Variable(rng.normal(size=(64, 3)).astype(np.float32))

    @tf.function  # type: ignore[untyped-decorator]
    def __call__(self, image: Any) -> Any:
        fake = tf.quantization.fake_quant_with_min_max_args
        kernel = fake(self.kernel, -2, 2, narrow_range=True)
        x = fake(tf.nn.relu(tf.nn.conv2d(fake(image, -3, 3), kernel, 1, "VALID")), 0, 6)
        score = tf.matmul(tf.reshape(x, (-1, 64)), fake(self.matrix, -2, 2, narrow_range=True))
        score = fake(score, -9, 9) if self.whole else score
        return {"score": score, "probability": tf.nn.softmax(score)}


@pytest.fixture(scope="module", params=[True, False])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Path]:
    """A SavedModel, and whether it has all ranges."""
    path = tmp_path_factory.mktemp("saved") / "net"
    net = _Net(request.param)
    signature = net.__call__.get_concrete_function(tf.TensorSpec((None, 6, 6, 2), tf.float32, name="image"))
    with _tensorflow.Quiet():
        tf.saved_model.save(net, str(path), signatures=signature)
    return request.param, path


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(120, 6, 6, 2)).astype(np.float32)
    np.savez("near.npz", x=x)
    np.savez("far.npz", x=100 * x)
    return tmp_path


def _quantized(*arguments: str) -> graph.Graph:
    assert cli.execute(["quantize", *arguments, "-o", "out.tflite"]) == 0
    return graph.read(Path("out.tflite").read_bytes(), "out")


def test_a_keras_model_with_all_ranges_takes_no_samples(capsys: pytest.CaptureFixture[str]) -> None:
    made = _quantized(_TRAINED)
    said = capsys.readouterr()
    assert "ranges: trained" in said.out
    assert "warning" not in said.err
    assert (made.ranges, made.calibrated_randomly) == ("trained", False)
    assert (made.input_names, made.output_names) == (("image",), ("quant_last",))
    # Samples set nothing, which is told.
    for given in (["--calibration", "far.npz"], ["--calibrate-randomly"]):
        assert _quantized(_TRAINED, *given).flatbuffer == made.flatbuffer
        said = capsys.readouterr()
        assert "ranges: trained" in said.out
        assert "warning: calibration-unused: " in said.err


def test_what_the_converter_is_fed_sets_no_trained_range(
    saved: tuple[bool, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wants samples even where they set nothing."""

    def drawn(factor: float) -> bytes:
        x = np.random.default_rng(int(factor)).normal(scale=factor, size=(12, 6, 6, 2))
        monkeypatch.setattr(quantization, "_random", lambda *_: data.make((x.astype(np.float32),)))
        return quantize(load.load(saved[1]), randomly=True).flatbuffer

    assert (drawn(1) == drawn(50)) == saved[0]


def test_its_report_says_where_the_ranges_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["deploy", _TRAINED, "--board", "host", "-o", "p"]) == 0
    assert json.loads(Path("p/report.json").read_text())["model"]["ranges"] == "trained"
    capsys.readouterr()
    assert cli.execute(["inspect", "p/model/model.tflite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranges"] == "trained"


def test_missing_ranges_are_named_and_calibrated(
    saved: tuple[bool, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, path = saved
    if whole:
        made = _quantized(str(path))
        assert made.ranges == "trained"
    else:
        assert cli.execute(["quantize", str(path), "-o", "out.tflite"]) == 3
        said = capsys.readouterr().err
        assert "was trained for int8, but not with ranges of FULLY_CONNECTED 'score'" in said
        assert "--calibration SAMPLES, which set those ranges; the trained ones stay" in said
        assert not Path("out.tflite").exists()
    near, far = (_quantized(str(path), "--calibration", name) for name in ("near.npz", "far.npz"))
    assert (near.flatbuffer == far.flatbuffer) == whole
    scales = [_scales(each) for each in (near, far)]
    for name, ends in (("input", 6), ("CONV_2D", 6)):
        assert scales[0][name] == scales[1][name] == pytest.approx(ends / 255)
    assert (scales[0]["FULLY_CONNECTED"] == pytest.approx(18 / 255)) == whole
    if not whole:
        # Both have the values that a range of -3 to 3 leaves of their samples.
        assert scales[0]["FULLY_CONNECTED"] != scales[1]["FULLY_CONNECTED"]
        assert near.ranges == "trained, the rest calibrated on 120 samples"
        assert "ranges: trained, the rest calibrated on 120 samples of near.npz" in capsys.readouterr().out
        assert _quantized(str(path), "--calibrate-randomly").calibrated_randomly
    assert near.output_names == ("probability", "score")


def _scales(made: graph.Graph) -> dict[str, float]:
    tensors = {node.op: made.tensors[node.outputs[0]] for node in made.nodes}
    tensors["input"] = made.tensors[made.inputs[0]]
    return {name: each.quantization.scales[0] for name, each in tensors.items() if each.quantization}


def test_the_signature_is_the_converters_as_litert_reads_it() -> None:
    from ai_edge_litert import interpreter

    made = _quantized(_TRAINED)
    held = interpreter.Interpreter(model_content=made.flatbuffer)
    assert held.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["quant_last"]}}


def test_another_scheme_is_refused(saved: tuple[bool, Path]) -> None:
    with pytest.raises(InputError, match="was trained for int8, and has no form in the scheme int16x8"):
        quantize(load.load(saved[1]), randomly=True, scheme="int16x8")
