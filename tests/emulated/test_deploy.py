"""Models on devices: the outputs are the reference's to the byte, latencies repeat."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from microwright import board, build, graph, pipeline, project, runners, verify
from microwright.graph import Array, Graph
from microwright.measure import Measurement, measure
from tests.support.firmware import convolutional, dense

BOARDS = ("host", "mps2-an385", "mps2-an385-m0plus", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
CORTEX_M = BOARDS[1:]


def samples(model: Graph, count: int) -> list[tuple[Array, ...]]:
    rng = np.random.default_rng(0)
    shapes = [model.tensors[i].shape for i in model.inputs]
    return [tuple(rng.integers(-128, 128, shape, np.int8) for shape in shapes) for _ in range(count)]


def run(image: build.Image, inputs: list[tuple[Array, ...]]) -> Measurement:
    # A stream cannot begin again.
    runs = None if image.project.graph.streams else 2 * len(inputs)
    with runners.start(image) as device:
        return measure(image, device.url, inputs, emulation=device.emulation, runs=runs, layers=True)


def assert_device_equals_reference(model: Graph, board_id: str, folder: Path, count: int) -> Measurement:
    inputs = samples(model, count)
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    image = build.build(project.create(folder, model, board.load(board_id)))
    measured = run(image, inputs)
    expected = [reference.run(sample) for sample in inputs]
    agreement = verify.agreement(reference.name, expected, measured.outputs)
    assert agreement.compared_bytes == count * sum(model.tensors[i].size_bytes for i in model.outputs)
    assert (agreement.mismatched_bytes, agreement.max_difference) == (0, 0)
    assert measured.hello["board"] == board_id
    assert measured.hello["build"] == image.build_id
    assert measured.stack_bytes is not None
    assert measured.stack_peak_bytes is not None
    assert 0 < measured.stack_bytes <= measured.stack_peak_bytes
    # All of the plan is written, but for the last tensor's alignment and bytes that look like paint.
    assert measured.arena_peak_bytes is not None
    assert image.project.arena_bytes - 20 <= measured.arena_peak_bytes <= image.project.arena_bytes
    return measured


def assert_layers_are_the_whole(measured: Measurement) -> None:
    total = sum(layer.latency for layer in measured.layers)
    assert total == pytest.approx(measured.latency.samples[0], rel=0.01)


@pytest.mark.parametrize("board_id", CORTEX_M)
def test_the_layers_of_a_tiny_model_are_the_whole(tmp_path: Path, board_id: str) -> None:
    model = dense()
    image = build.build(project.create(tmp_path / "p", model, board.load(board_id)))
    assert_layers_are_the_whole(run(image, samples(model, 1)))


@pytest.mark.parametrize("board_id", BOARDS)
def test_a_small_model_is_exact_on_every_board_and_takes_as_long_again(tmp_path: Path, board_id: str) -> None:
    model = convolutional()
    measured = assert_device_equals_reference(model, board_id, tmp_path / "p", 5)
    assert measured.latency.runs == 10
    assert measured.latency.samples[:5] == measured.latency.samples[5:] or board_id == "host"
    assert measured.latency.min > 0
    # All nodes but the reshape, which is left out.
    assert [layer.index for layer in measured.layers] == list(range(6))
    if board_id == "host":
        assert (measured.latency.kind, measured.latency.unit) == ("measured", "us")
    else:
        assert (measured.latency.kind, measured.latency.unit) == ("emulated", "instructions")
        assert_layers_are_the_whole(measured)
        again = run(build.open_image(project.open_project(tmp_path / "p")), samples(model, 2))
        assert again.latency.samples == 2 * measured.latency.samples[:2]
        assert again.layers == measured.layers
        assert (again.stack_bytes, again.stack_peak_bytes) == (
            measured.stack_bytes,
            measured.stack_peak_bytes,
        )


def test_equal_inputs_in_unequal_time_are_told(tmp_path: Path) -> None:
    made = project.create(tmp_path / "p", dense(), board.load("mps2-an386"))
    main = made.directory / "app" / "main.c"
    disturbed = "for (volatile uint32_t i = 0; i < runs % 2 * 100; ++i) {}\n"
    call = "const enum mw_status status = mw_model_invoke(mw_arena);"
    main.write_text(main.read_text().replace(call, disturbed + call))
    image = build.build(made)
    told: list[str] = []
    wanted = pipeline.take_samples(image.project.graph, None, 3)
    report = pipeline.evaluate(image, wanted, runs=6, on_caution=lambda caution: told.append(caution.name))
    assert told == [caution.name for caution in report.cautions] == ["unsteady-latency"]
    assert report.latency.max > report.latency.min + 300


def test_the_host_firmware_is_clean_under_sanitizers(tmp_path: Path) -> None:
    model = convolutional()
    made = project.create(tmp_path / "p", model, board.load("host"))
    sanitize = "-fsanitize=address,undefined -fno-sanitize-recover"
    configure = ["cmake", "-S", ".", "-B", "build", "-G", "Ninja", f"-DCMAKE_C_FLAGS={sanitize}"]
    for command in (configure, ["cmake", "--build", "build"]):
        done = subprocess.run(command, cwd=made.directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    inputs = samples(model, 3)
    with runners.start(build.open_image(made)) as device:
        measured = measure(build.open_image(made), device.url, inputs)
        assert device.running()
        log = device.log()
    assert log.count("\n") == 1, log
    reference = verify.reference(model)
    assert reference is not None
    expected = [reference.run(sample) for sample in inputs]
    assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0


@pytest.mark.parametrize("name", ["kws", "ad", "ic"])
def test_the_reference_models_on_a_cortex_m4(shared_models: Path, tmp_path: Path, name: str) -> None:
    model = graph.read((shared_models / f"{name}.tflite").read_bytes(), name)
    measured = assert_device_equals_reference(model, "mps2-an386", tmp_path / "p", 2)
    assert_layers_are_the_whole(measured)


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", BOARDS)
@pytest.mark.parametrize("name", ["kws", "vww", "ic", "ad"])
def test_the_reference_models_on_every_board(
    shared_models: Path, tmp_path: Path, name: str, board_id: str
) -> None:
    model = graph.read((shared_models / f"{name}.tflite").read_bytes(), name)
    measured = assert_device_equals_reference(model, board_id, tmp_path / "p", 20)
    if board_id != "host":
        assert_layers_are_the_whole(measured)
