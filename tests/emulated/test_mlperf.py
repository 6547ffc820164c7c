"""MLPerf Tiny's protocol end to end: one image answers its commands and the records, on one port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from microwright import accuracy, board, build, cli, data, mlperf, project, runners, verify
from microwright.graph import Array, Graph
from microwright.link.port import SerialPort
from microwright.measure import measure
from microwright.profile import MlperfTiny
from tests.support.firmware import dense
from tests.unit.test_cli_device import control_c, started, wait_for


def built(folder: Path, graph: Graph, board_id: str, profile: MlperfTiny) -> build.Image:
    return build.build(project.create(folder, graph, board.load(board_id), profile=profile))


def real_outputs(graph: Graph, inputs: Array) -> Array:
    """The reference interpreter's outputs, dequantised, a row a sample."""
    reference = verify.reference(graph)
    assert reference is not None, "the reference interpreter is part of the development installation"
    tensor = graph.tensors[graph.outputs[0]]
    rows = [accuracy.real(reference.run((sample[np.newaxis],))[0], tensor).reshape(-1) for sample in inputs]
    return np.stack(rows)


def answers(report: mlperf.Report) -> Array:
    assert isinstance(report.result, mlperf.Accuracy)
    return np.array([answer.results for answer in report.result.answers])


@pytest.mark.parametrize("board_id", ["mps2-an386", "host"])
def test_both_modes_from_the_command_line(tmp_path: Path, board_id: str) -> None:
    graph = dense(50, 4)
    image = built(tmp_path / "p", graph, board_id, MlperfTiny(sent="uint8"))
    rng = np.random.default_rng(1)
    inputs = rng.integers(-128, 128, (6, 50)).astype(np.int8)
    labels = np.array([0, 1, 2, 3, 3, 2])
    np.savez(tmp_path / "data.npz", x=inputs, y=labels)
    out = tmp_path / "found.json"
    argv = ["mlperf", str(tmp_path / "p"), "--json", str(out)]
    assert cli.execute([*argv, "--mode", "accuracy", "--data", str(tmp_path / "data.npz")]) == 0
    found = json.loads(out.read_text())
    expected = real_outputs(graph, inputs)
    np.testing.assert_allclose([a["results"] for a in found["answers"]], expected, rtol=1e-8)
    assert found["top1"] == np.mean(expected.argmax(axis=1) == labels)
    assert (found["device"], found["model"], found["build"]) == (board_id, "dense", image.build_id)

    session, again = tmp_path / "session.txt", tmp_path / "again.json"
    performance = ["--mode", "performance", "--inferences", "20"]
    assert cli.execute([*argv, *performance, "--record", str(session)]) == 0
    found = json.loads(out.read_text())
    replay = ["mlperf", str(tmp_path / "p"), *performance, "--replay", str(session), "--json", str(again)]
    assert cli.execute(replay) == 0
    assert again.read_bytes() == out.read_bytes()
    assert found["kind"] == ("measured" if board_id == "host" else "emulated")
    assert [w["inferences"] for w in found["windows"]] == [20] * 5 and found["median"] > 0
    assert not found["by_rules"]
    if board_id != "host":
        # The latency of the records' own measurement, and the copy of the input.
        with runners.start(image) as device:
            measured = measure(image, device.url, [(inputs[:1],)], emulation=device.emulation, layers=False)
        assert measured.latency.median < found["instructions_per_inference"] < 1.5 * measured.latency.median


def test_an_error_of_reconstruction_of_floats(tmp_path: Path) -> None:
    graph = dense(32, 32)
    image = built(tmp_path / "p", graph, "mps2-an386", MlperfTiny(sent="float32", result="error"))
    reals = np.random.default_rng(2).normal(0, 2, (3, 32)).astype(np.float32)
    given = [
        mlperf.Stimulus(str(i), 0, content=reals[i].tobytes(), window_bytes=128, stride_bytes=4)
        for i in range(3)
    ]
    with runners.start(image) as device:
        found = answers(mlperf.run(image, device.url, "accuracy", given))
    source = graph.tensors[graph.inputs[0]].quantization
    assert source is not None
    quantized = np.clip(np.round(reals / np.float32(source.scales[0])) + source.zero_points[0], -128, 127)
    errors = np.square(real_outputs(graph, quantized.astype(np.int8)) - reals).mean(axis=1)
    np.testing.assert_allclose(found[:, 0], errors, rtol=1e-5)


@contextmanager
def line(url: str) -> Iterator[SerialPort]:
    port = SerialPort(url, 115_200)
    try:
        yield port
    finally:
        port.close()


def heard(port: SerialPort, until: bytes) -> bytes:
    """What a device says up to some bytes, which come within seconds."""
    said = b""
    for _ in range(100):
        said += port.read(0.2)
        if said.endswith(until):
            return said
    raise AssertionError(said)


@pytest.mark.parametrize("board_id", ["mps2-an386", "host"])
def test_the_port_closes_and_opens_again_in_the_middle_of_anything(tmp_path: Path, board_id: str) -> None:
    graph = dense(50, 4)
    image = built(tmp_path / "p", graph, board_id, MlperfTiny())
    inputs = np.random.default_rng(3).integers(-128, 128, (2, 1, 50)).astype(np.int8)
    with runners.start(image) as device:
        with line(device.url) as port:
            port.write(b"name%")
            assert heard(port, b"m-ready\r\n").endswith(b"m-name-dut-[%s]\r\nm-ready\r\n" % board_id.encode())
            port.write(b"db load 50%")
            heard(port, b"m-ready\r\n")
            port.write(b"db 0001")
        with line(device.url) as port:
            # Behind half a command, the runner's first question is unknown, and it asks again.
            port.write(b"name%")
            assert heard(port, b"m-ready\r\n") == b"e-[no bytes in hexadecimal]\r\nm-ready\r\n"
            port.write(b"name%")
            assert heard(port, b"m-ready\r\n") == b"m-name-dut-[%s]\r\nm-ready\r\n" % board_id.encode()
            port.write(b"@77 write input=0 off")
        # Behind half a record and half a command come records, commands and records.
        measured = measure(image, device.url, [(sample,) for sample in inputs], layers=False)
        labelled = data.make((inputs[:, 0],), np.array([0, 1]))
        given = mlperf.of_data(labelled, graph, mlperf.profile_of(image))
        found = answers(mlperf.run(image, device.url, "accuracy", given))
        again = measure(image, device.url, [(sample,) for sample in inputs], layers=False)
    assert [o[0].tolist() for o in measured.outputs] == [o[0].tolist() for o in again.outputs]
    np.testing.assert_allclose(found, real_outputs(graph, inputs[:, 0]), rtol=1e-8)


def test_control_c_leaves_what_was_measured(tmp_path: Path) -> None:
    built(tmp_path / "p", dense(50, 4), "host", MlperfTiny())
    session, samples = tmp_path / "session.txt", tmp_path / "data.npz"
    np.savez(samples, x=np.zeros((50_000, 50), np.int8), y=np.arange(50_000) % 4)
    argv = [
        "mlperf",
        str(tmp_path / "p"),
        "--mode",
        "accuracy",
        "--data",
        str(samples),
        "--record",
        str(session),
    ]
    with started(*argv) as process:
        wait_for(lambda: session.exists() and session.read_text().count("infer 1 0") > 3, process)
        said = control_c(process)
    kept = tmp_path / "p" / "mlperf-partial.json"
    assert f"note: not complete: what was measured is in {kept}" in said
    found = json.loads(kept.read_text())
    assert found["complete"] is False and len(found["answers"]) >= 3
    assert session.read_text().splitlines()[-1].endswith(" close"), "the port is closed"


@pytest.mark.parametrize(
    "said", [MlperfTiny(), MlperfTiny(sent="float32", result="error")], ids=["raw", "error"]
)
def test_the_profile_takes_less_than_3_kb(tmp_path: Path, said: MlperfTiny) -> None:
    graph = dense(64, 64)
    on = board.load("mps2-an386")
    plain = build.build(project.create(tmp_path / "plain", graph, on))
    image = build.build(project.create(tmp_path / "p", graph, on, profile=said))
    assert 0 < image.code_bytes - plain.code_bytes < 3000
    # The input as it is sent, the one that is quantised of it, and a few counters.
    inputs = 64 if said.sent is None else 4 * 64 + 64
    assert inputs <= image.static_ram_bytes - plain.static_ram_bytes <= inputs + 64
