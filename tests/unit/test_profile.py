"""Which models may be what for MLPerf Tiny, and what a project keeps of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from microwright import board, cli, graph, project
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.manifest import MANIFEST
from microwright.profile import MODELS, MlperfTiny, Profile, settle
from tests.support.firmware import convolutional, dense
from tests.support.tflite_maker import Maker


def model(source: str, output: str, inputs: int = 8, outputs: int = 4, *, scales: bool = True) -> Graph:
    """A model of one reshape with an input and an output of these types: only its ends matter."""
    made = Maker()
    quantization = {"scale": 0.1, "zero_point": 1}
    ends = [
        made.tensor((1, size), dtype, **(quantization if scales and dtype != "float32" else {}))
        for size, dtype in ((inputs, source), (outputs, output))
    ]
    made.node("RESHAPE", [ends[0], made.const([1, outputs], dtype="int32")], [ends[1]])
    return graph.read(made.build([ends[0]], [ends[1]]), "ends")


@pytest.mark.parametrize("name", ["kws", "vww", "ic", "ad"])
def test_the_reference_models_are_known_by_their_shapes(shared_models: Path, name: str) -> None:
    read = graph.read((shared_models / f"{name}.tflite").read_bytes(), "anything")
    expected = MODELS[f"{name}01"]
    made = settle(MlperfTiny(), read)
    assert (made.model, made.sent, made.result) == (f"{name}01", expected.sent, expected.result)
    assert made.input_bytes == expected.inputs * (4 if name == "ad" else 1)
    assert settle(MlperfTiny(model=f"{name}01"), read) == made
    # One's own name is free of the benchmark's forms.
    assert settle(MlperfTiny(model="mine"), read) == Profile("mine", "raw", "values", expected.inputs)


def test_a_model_of_ones_own_has_its_files_name_and_options() -> None:
    assert settle(MlperfTiny(), dense(name="My model (2)")) == Profile("My-model-2-", "raw", "values", 8)
    said = MlperfTiny(model="x-1", sent="float32", result="error")
    assert settle(said, dense(8, 8)) == Profile("x-1", "float32", "error", 32)
    assert settle(MlperfTiny(sent="uint8"), dense()).input_bytes == 8


@pytest.mark.parametrize(
    ("given", "said", "why"),
    [
        (convolutional(), MlperfTiny(), "2 inputs and 2 outputs"),
        (dense(), MlperfTiny(model="ic01"), "ic01's input has 3072 elements, this one 8"),
        (dense(490, 11), MlperfTiny(model="kws01"), "output has 12 elements, this one 11"),
        (dense(490, 12), MlperfTiny(sent="uint8"), "kws01's input is raw, not uint8"),
        (dense(490, 12), MlperfTiny(result="error"), "kws01's result is values"),
        (model("float32", "float32", 490, 12), MlperfTiny(), "inputs are int8, the model takes float32"),
        (model("float32", "float32", 3072, 10), MlperfTiny(), "sends uint8, and the model takes float32"),
        (model("int16", "int8"), MlperfTiny(sent="uint8"), "sends uint8, and the model takes int16"),
        (model("int32", "int8", scales=False), MlperfTiny(sent="float32"), "has no scale for"),
        (model("int8", "int32", scales=False), MlperfTiny(), "output is int32 without a scale"),
        (dense(), MlperfTiny(result="error"), "takes float32 inputs and as many outputs"),
        (dense(), MlperfTiny(sent="float32", result="error"), "as many outputs"),
        (dense(), MlperfTiny(model="two words"), "no name"),
        (dense(), MlperfTiny(model='x"]\n'), "no name"),
        (dense(), MlperfTiny(model="m-ready"), "no name"),
        (dense(), MlperfTiny(model="x" * 33), "no name"),
        (dense(name="km-ready"), MlperfTiny(model="x"), "which the runner waits for"),
    ],
)
def test_what_a_model_cannot_be(given: Graph, said: MlperfTiny, why: str) -> None:
    with pytest.raises(InputError, match=why):
        settle(said, given)


def test_a_project_keeps_its_profile(tmp_path: Path) -> None:
    out = tmp_path / "p"
    made = project.create(out, dense(), board.load("host"), profile=MlperfTiny(model="mine"))
    assert made.profile == Profile("mine", "raw", "values", 8)
    assert project.open_project(out).profile == made.profile
    assert '"mine"' in (out / "app" / "mw_mlperf_settings.h").read_text()
    # Without one, nothing of it is left, and what the manifest said before there were profiles is read.
    plain = project.create(out, dense(), board.load("host"))
    assert plain.profile is None and not (out / "app" / "mw_mlperf.c").exists()
    assert "MLPERF" not in (out / "CMakeLists.txt").read_text()
    manifest = json.loads((out / MANIFEST).read_text())
    del manifest["profile"]
    (out / MANIFEST).write_text(json.dumps(manifest))
    assert project.open_project(out).profile is None


@pytest.mark.parametrize(
    "change",
    [{"model": "a b"}, {"model": 5}, {"sent": "int4"}, {"input_bytes": 0}, {"more": 1}, {"name": "x"}],
)
def test_a_manifest_with_another_profile_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    project.create(tmp_path, dense(), board.load("host"), profile=MlperfTiny())
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    manifest["profile"].update(change)
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="is not a manifest of Microwright"):
        project.open_project(tmp_path)


def test_the_command_says_what_the_model_is_to_the_runner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(dense().flatbuffer)
    new = ["new", str(path), "--board", "host", "-o", str(tmp_path / "p")]
    assert cli.execute([*new, "--profile", "mlperf-tiny", "--mlperf-input", "uint8"]) == 0
    assert "MLPerf Tiny: tiny; input uint8, 8 bytes; result values" in capsys.readouterr().out
    assert cli.execute([*new, "--profile", "mlperf-tiny", "--mlperf-model", "ad01"]) == 3
    assert "ad01's input has 640 elements" in capsys.readouterr().err
    assert cli.execute([*new, "--mlperf-model", "ad01"]) == 2
    assert "--profile mlperf-tiny" in capsys.readouterr().err
