"""rp2040js in place of a Raspberry Pi Pico: right outputs, cycles that repeat, images that are refused."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board, build, pipeline, project, runners
from microwright.build import Image
from microwright.errors import DeviceError, ToolMissing
from microwright.report import Report
from microwright.runners import rp2040js
from tests.support.firmware import convolutional
from tests.support.tools import require_rp2040js

SETUP = Path(__file__).parents[2] / "tools" / "_setup.sh"


@pytest.fixture(scope="module")
def pico(tmp_path_factory: pytest.TempPathFactory) -> Image:
    require_rp2040js()
    folder = tmp_path_factory.mktemp("pico") / "p"
    image = build.build(project.create(folder, convolutional(), board.load("raspberry-pi-pico")))
    made = image.project.board
    return replace(image, project=replace(image.project, board=replace(made, runners={"rp2040js": {}})))


def run(image: Image) -> Report:
    wanted = pipeline.take_samples(image.project.graph, None, 3)
    return pipeline.evaluate(image, wanted, runs=6, per_layer=True)


def test_cycles_repeat_and_outputs_are_the_references(pico: Image) -> None:
    first, second = run(pico), run(pico)
    assert first.agreement is not None
    assert first.agreement.mismatched_bytes == 0
    assert (first.latency.kind, first.latency.unit) == ("emulated", "cycles")
    assert first.latency.samples == second.latency.samples
    assert first.latency.samples[:3] == first.latency.samples[3:]
    assert first.layers == second.layers
    assert sum(layer.latency for layer in first.layers) == pytest.approx(first.latency.samples[0], rel=0.01)
    # Cycles need no estimate of them.
    assert first.estimated is None
    assert not first.cautions
    timer = first.latency.timer
    assert timer is not None
    assert (timer.counter, timer.hz) == ("systick", 133_000_000)


def test_a_host_may_come_back(pico: Image) -> None:
    with runners.start(pico) as device:
        host, port = device.url.removeprefix("socket://").split(":")
        for _ in range(2):
            with socket.create_connection((host, int(port)), timeout=20) as line, line.makefile("rb") as file:
                line.sendall(b"@1 hello #e2022583\n")
                while not (answer := file.readline()).startswith(b"@1 "):
                    assert answer
                assert answer.startswith(b"@1 ok proto=1 board=raspberry-pi-pico ")


def test_it_ends_with_the_program_that_started_it(pico: Image, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    starter = (
        "import subprocess, sys, pathlib; p = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE); "
        "p.stdout.readline(); pathlib.Path(sys.argv[1]).write_text(str(p.pid))"
    )
    command = rp2040js.argv(pico.elf, pico.project.board)
    subprocess.run([sys.executable, "-c", starter, str(pid), *command], check=True, timeout=60)
    deadline = time.monotonic() + 20
    while Path("/proc", pid.read_text()).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda image: bytes([image[0] ^ 1]) + image[1:],
            "the boot ROM would refuse it: boot2 has the CRC 0x",
        ),
        (lambda image: image[:200], "too short for a flash image"),
        (lambda image: image + bytes(16 << 20), "larger than the flash that a chip can have"),
    ],
)
def test_an_image_that_would_not_start_is_refused(
    pico: Image, tmp_path: Path, damage: Callable[[bytes], bytes], told: str
) -> None:
    (tmp_path / "firmware.bin").write_bytes(damage(pico.elf.with_suffix(".bin").read_bytes()))
    with pytest.raises(DeviceError, match=f"rp2040js ended at once with exit code 3: .*{told}"):
        runners.start(replace(pico, elf=tmp_path / "firmware.elf"))


def test_what_is_missing_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = replace(board.load("raspberry-pi-pico"), runners={"rp2040js": {}})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="node is not installed") as error:
        runners.check(made)
    assert error.value.hint == "sudo apt-get install nodejs"
    (tmp_path / "node").write_text("#!/bin/sh\necho the package rp2040js is not installed\nexit 3\n")
    (tmp_path / "node").chmod(0o755)
    with pytest.raises(ToolMissing, match="the npm package rp2040js is not installed") as error:
        runners.check(made)
    assert error.value.hint == "npm install -g rp2040js@1.4.1"


def test_the_development_set_up_installs_the_version_that_is_told() -> None:
    told = re.search(r"rp2040js@[\d.]+", Path(rp2040js.__file__).read_text())
    assert told is not None
    assert told[0] in SETUP.read_text()
