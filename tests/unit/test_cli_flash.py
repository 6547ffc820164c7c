"""`microwright flash`, and commands that flash first: a stand-in tool "flashes" by starting the firmware.

It is the host's firmware on a pseudo terminal: the conversation after flashing is a real one.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from microwright import board as boards
from microwright import cli
from tests.support.small_model import small_model
from tests.unit.test_runners import script

# A board whose firmware runs here and which is flashed by pyOCD.
BOARD = (
    boards.load("host")
    .text.replace("baud ", 'usb_ids = ["0483:374b"]\nbaud ')
    .replace("host      = {}", 'pyocd = { target = "nrf52840" }\nhost = {}')
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project of that board."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "small.tflite").write_bytes(small_model())
    (folder / "flashed.toml").write_text(BOARD)
    arguments = ["new", str(folder / "small.tflite"), "--board", str(folder / "flashed.toml")]
    assert cli.execute([*arguments, "-o", str(folder / "project")]) == 0
    assert cli.execute(["build", str(folder / "project")]) == 0
    return folder / "project"


class Bench:
    """A board on this computer: what was flashed last runs, and its port is there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = folder / "port"
        self._pid = folder / "pid"
        script(
            folder / "pyocd",
            'case "$*" in --version) echo 0.36.0; exit 0;; esac',
            "for image; do :; done",
            f'echo "$*" >{folder}/arguments',
            f"rm -f {self.port}; test -f {self._pid} && kill -- -$(cat {self._pid})",
            # The firmware ends with its parent: a shell of its own session, as a board has its own life.
            f'setsid sh -c \'echo $$ >{self._pid}; "$0" >{folder}/line & while ! test -s {folder}/line; do '
            f'sleep 0.01; done; sleep 0.2; ln -s "$(head -n 1 {folder}/line)" {self.port}; wait\' '
            '"$image" </dev/null >/dev/null 2>&1 &',
            'echo "0000900 I Erased 4096 bytes (1 sector), programmed 4096 bytes (4 pages)"',
        )
        self.arguments = folder / "arguments"
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(list_ports, "comports", self._comports)

    def _comports(self, *_: object) -> list[ListPortInfo]:
        if not self.port.exists():
            return []
        found = ListPortInfo(str(self.port))
        found.vid, found.pid, found.serial_number = 0x0483, 0x374B, "066DFF"
        return [found]

    def close(self) -> None:
        deadline = time.monotonic() + 5
        while self.arguments.exists() and not self._pid.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self._pid.exists():
            os.killpg(int(self._pid.read_text()), signal.SIGKILL)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()


def test_flash_says_what_it_did(project: Path, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["flash", str(project), "--probe", "066DFF"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"flashed  {project}/build/firmware.elf (") and " bytes) with pyocd in " in said
    assert bench.arguments.read_text() == (
        f"flash --no-wait --target nrf52840 --uid 066DFF --format elf {project}/build/firmware.elf\n"
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["measure", "--probe", "066DFF"], "a probe is chosen, and nothing is flashed"),
        (["measure", "--probe", "066DFF", "--runner", "host"], "a probe is chosen, and nothing is flashed"),
        (["flash", "--port", "/dev/ttyACM0"], "pyocd talks to no boot loader on a serial port"),
    ],
)
def test_an_option_that_nothing_takes_is_refused(
    project: Path, bench: Bench, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    command, *options = arguments
    assert cli.execute([command, str(project), *options]) == 3
    assert why in capsys.readouterr().err
    assert not bench.arguments.exists()


def test_deploy_refuses_a_probe_before_it_builds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())
    deploy = ["deploy", str(tmp_path / "small.tflite"), "--board", "host", "-o", str(tmp_path / "p")]
    assert cli.execute([*deploy, "--probe", "066DFF"]) == 3
    assert "a probe is chosen, and nothing is flashed" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_measure_flashes_and_finds_the_port_that_comes(
    project: Path, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    measure = ["measure", str(project), "--random-inputs", "3", "--json", str(report)]
    # Nothing is flashed where it was not asked for, and nothing is there.
    assert cli.execute(measure) == 11
    assert "no port matches USB id 0483:374b" in capsys.readouterr().err
    assert not bench.arguments.exists()
    assert cli.execute([*measure, "--runner", "pyocd"]) == 0
    found = json.loads(report.read_text())
    assert found["agreement"]["mismatched_bytes"] == 0 and found["latency"]["kind"] == "measured"
    # It is on the board now.
    bench.arguments.unlink()
    assert cli.execute(measure) == 0
    assert not bench.arguments.exists()


def test_deploy_flashes_by_the_first_tool_and_other_firmware_is_refused_afterwards(
    project: Path, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.parent
    deploy = ["deploy", str(folder / "small.tflite"), "--board", str(folder / "flashed.toml")]
    assert (
        cli.execute([*deploy, "-o", str(tmp_path / "p"), "--optimize", "size", "--random-inputs", "2"]) == 0
    )
    assert json.loads((tmp_path / "p" / "report.json").read_text())["complete"]
    capsys.readouterr()
    assert cli.execute(["measure", str(project), "--random-inputs", "1"]) == 11
    assert "`microwright flash DIR`" in capsys.readouterr().err


def test_what_is_wrong_is_said_before_anything_is_built(
    project: Path, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.parent
    (tmp_path / "b.toml").write_text(BOARD.replace("usb_ids", "# usb_ids"))
    deploy = ["deploy", str(folder / "small.tflite"), "--board", str(tmp_path / "b.toml")]
    assert cli.execute([*deploy, "-o", str(tmp_path / "p")]) == 6
    assert "names no USB ids" in capsys.readouterr().err
    (bench.arguments.parent / "pyocd").write_text("#!/bin/sh\necho 0.1.2\n")
    assert cli.execute([*deploy, "-o", str(tmp_path / "p"), "--port", str(bench.port)]) == 9
    assert "too old" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_what_starts_a_program_is_no_flash_tool(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["flash", str(project), "--runner", "host"]) == 6
    assert "host does not flash a board" in capsys.readouterr().err
    assert cli.execute(["run", str(project), "--runner", "pyocd"]) == 6
    assert "`microwright flash`" in capsys.readouterr().err
