"""`deploy` to a board over the network: all of it, against an ssh server of this computer."""

from __future__ import annotations

import json
import platform
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from microwright import board, cli
from microwright.cores import LINUX_CORES, TRIPLETS
from tests.support import sshd
from tests.support.firmware import convolutional, dense
from tests.support.sshd import Server


def wheel(folder: Path, name: str, version: str, **files: str) -> None:
    """A package that pip installs without a network."""
    stem = f"{name.replace('-', '_')}-{version}"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in {
            **files,
            **{f"{stem}.dist-info/{key}": text for key, text in about.items()},
        }.items():
            archive.writestr(path, text)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose pip finds packages in a folder alone: they lead to those of this environment."""
    import ai_edge_litert
    import numpy

    index = tmp_path_factory.mktemp("index")
    for version in ("2.2.6", "2.3.4"):
        wheel(index, "numpy", version)
    here = {str(Path(str(package.__file__)).parents[1]) for package in (ai_edge_litert, numpy)}
    wheel(index, "ai-edge-litert", "2.1.0", **{"here.pth": "\n".join(sorted(here))})
    with sshd.serving({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_NO_COMPILE": "1"}) as server:
        yield server


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("PATH", running.path)
    return running


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A board file of a Raspberry Pi whose architecture is this computer's."""
    arch = platform.machine()
    monkeypatch.setitem(LINUX_CORES["cortex-a72"], arch, ())  # type: ignore[arg-type]
    monkeypatch.setitem(TRIPLETS, arch, f"{arch}-linux-gnu")  # type: ignore[arg-type]
    text = board.load("rpi4").text.replace('archs     = ["aarch64", "armv7l"]', f'archs = ["{arch}"]')
    path = tmp_path / "rpi-here.toml"
    path.write_text(text)
    return str(path)


def deploy(model: Path, made_for: str, server: Server, *options: str) -> int:
    path = model.with_name("deployed")
    host = ("--host", server.host)
    return cli.execute(["deploy", str(model), "--board", made_for, "-o", str(path), *host, *options])


def test_litert_from_a_model_to_a_report(
    server: Server, here: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(dense().flatbuffer)
    options = ("--runtime", "litert", "--threads", "2", "--random-inputs", "3", "--sustained", "1")
    assert deploy(model, here, server, *options) == 0
    report = json.loads((tmp_path / "deployed" / "report.json").read_text())
    assert report["engine"] == "litert"
    assert report["latency"]["kind"] == "measured"
    assert report["agreement"]["mismatched_bytes"] == 0
    system = report["system"]
    facts = system["facts"]
    assert facts[0]["runtime"] == "ai-edge-litert"
    assert (facts[0]["threads"], facts[0]["xnnpack"]) == (2, True)
    assert len(facts) == 4
    for series in (system["warm"], system["sustained"]):
        assert series["runs"] == len(series["samples"]) > 0
        assert series["p50"] <= series["p95"] <= series["p99"]
    assert "throttling-unknown" in {caution["name"] for caution in report["warnings"]}
    shown = capsys.readouterr().out
    assert "ELF" not in shown and "flash" not in shown
    # Of what nothing was compiled for, no size is known.
    assert {report["memory"][key] for key in ("arena_bytes", "code_bytes", "flash_total_bytes")} == {None}
    assert "2 threads, XNNPACK on" in shown


@pytest.mark.thorough
def test_an_environment_that_was_interrupted_is_made_anew_and_a_whole_one_kept(
    server: Server, here: str, tmp_path: Path
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(dense().flatbuffer)
    options = ("--runtime", "litert", "--random-inputs", "1")
    environment = server.home / "microwright" / "deployed" / "venv"
    assert deploy(model, here, server, *options) == 0
    (environment / "kept").touch()
    assert deploy(model, here, server, *options) == 0
    assert (environment / "kept").exists()
    (environment / "ready").unlink()
    (environment / "bin" / "python").unlink()
    assert deploy(model, here, server, *options) == 0
    assert not (environment / "kept").exists()


def test_a_python_that_no_wheel_is_for(
    server: Server, here: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(dense().flatbuffer)
    server.on_board("python3", "echo '3.15 64'")
    try:
        assert deploy(model, here, server, "--runtime", "litert") == 11
    finally:
        (server.folder / "board" / "python3").unlink()
    error = capsys.readouterr().err
    assert "microwright: no runtime for Python 3.15, 64 bits" in error
    assert "--runtime aot needs no Python" in error


def test_aot_from_a_model_to_a_report_and_uninstalled(server: Server, here: str, tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(convolutional().flatbuffer)
    assert deploy(model, here, server, "--random-inputs", "3", "--per-layer") == 0
    report = json.loads((tmp_path / "deployed" / "report.json").read_text())
    assert report["agreement"]["mismatched_bytes"] == 0
    assert report["latency"]["kind"] == "measured"
    assert report["layers"]
    assert report["system"]["facts"][0]["runtime"] == "aot"
    assert report["system"]["warm"]["runs"] > 0
    folder = server.home / "microwright" / "deployed"
    subprocess.run(["sh", str(folder / "project" / "uninstall.sh")], check=True, cwd="/")
    assert not folder.exists()
