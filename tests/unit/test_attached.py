"""`doctor --board`: the tools of a board's runners, USB permissions, the serial port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from microwright import attached, board, cli
from microwright.board import Board
from microwright.doctor import Finding
from microwright.errors import NoPort
from microwright.runners import usb
from tests.support.flash_tools import SETTINGS, example, play, plug
from tests.unit.test_board import GOOD
from tests.unit.test_ports import port

NUCLEO = ("0483:374b",)


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """A computer without rules of udev, ports and other flash tools."""
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.setattr(attached, "_RULES", (tmp_path / "rules.d",))
    monkeypatch.setattr(list_ports, "comports", lambda *_: [])
    monkeypatch.setattr("sys.platform", "linux")
    return folder


def nucleo(*names: str) -> Board:
    return replace(example(names[0], usb_ids=NUCLEO), runners={name: SETTINGS[name] for name in names})


def found(board: Board) -> dict[str, Finding]:
    return {finding.name: finding for finding in attached.examine(board)}


def test_tools_have_a_version_or_a_problem(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(bare))
    play(bare, "openocd", "", version="Open On-Chip Debugger 0.11.0")
    play(bare, "stm32flash", "")
    there = found(nucleo("st-flash", "openocd", "stm32flash", "daplink"))
    assert (there["st-flash"].version, there["st-flash"].problem) == (None, "st-flash is not installed")
    assert there["st-flash"].install == "sudo apt-get install stlink-tools"
    assert there["openocd"].problem == "openocd 0.11.0 is too old: 0.12 or later is needed"
    assert there["stm32flash"].version == "unknown version" and "BOOT0" in there["stm32flash"].purpose
    assert there["daplink"].found
    assert not any(finding.required for finding in there.values())


def test_emulators_that_are_packages_have_a_version_or_a_problem(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(board.load("raspberry-pi-pico"), runners={"rp2040js": {}, "unicorn": {}})
    monkeypatch.setenv("PATH", str(bare))
    there = found(made)
    assert (there["rp2040js"].version, there["rp2040js"].problem) == (None, "node is not installed")
    assert (there["unicorn"].version or "").startswith("2.1.")
    monkeypatch.setattr(sys, "path", [])
    there = found(made)
    assert there["unicorn"].install == "pip install 'microwright[unicorn]'"
    (bare / "node").write_text("#!/bin/sh\necho 1.4.1\n")
    (bare / "node").chmod(0o755)
    assert found(made)["rp2040js"].version == "1.4.1"


def test_a_board_with_linux_needs_the_compiler_of_its_architecture(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    there = found(board.load("rpi4").with_arch("armv7l"))
    assert there["qemu-user"].problem == "qemu-arm-static is not installed"
    compiler = there["arm-linux-gnueabihf-gcc"]
    assert compiler.required and "gcc-arm-linux-gnueabihf" in compiler.install
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    assert "gcc" in found(board.load("rpi4").with_arch("armv7l"))


def test_the_command_fails_where_no_runner_works(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(bare / "empty"))
    monkeypatch.setattr("sys.executable", str(bare / "empty" / "python"))
    (bare / "nucleo.toml").write_text(GOOD.replace(", speed = 4", "").replace("qemu ", "# qemu "))
    doctor = ["doctor", "--board", str(bare / "nucleo.toml")]
    monkeypatch.setattr("microwright.family.Family.check", lambda *_: None)
    assert cli.execute([*doctor, "--json"]) == 9
    captured = capsys.readouterr()
    assert "pyocd" in captured.err and "python -m pip install pyocd" in captured.err
    printed = json.loads(captured.out)
    assert printed["complete"] is False
    assert [finding["name"] for finding in printed["findings"]] == ["pyocd", "USB 0483:374b", "serial port"]
    monkeypatch.setenv("PATH", str(bare))
    play(bare, "pyocd", "")
    assert cli.execute(doctor) == 0
    assert "0.36.0" in capsys.readouterr().out


def test_a_probe_that_may_not_be_opened_gets_the_rule_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(bare, monkeypatch, ("0483:374b", "066DFF"))
    monkeypatch.setattr(usb.UsbDevice, "permitted", False)
    probe = found(nucleo("openocd"))["USB 0483:374b"]
    assert probe.problem == f"you may not open {bare}/nodes/001/001, 066DFF (STM32 STLink, 0483:374b)"
    assert 'ATTRS{idVendor}=="0483", MODE="0660", GROUP="dialout", TAG+="uaccess"' in probe.install
    assert "/etc/udev/rules.d/70-microwright-0483.rules" in probe.install
    assert subprocess.run(["sh", "-n", "-c", probe.install], check=False).returncode == 0
    assert probe.install.endswith("udevadm trigger")
    monkeypatch.setattr(usb.UsbDevice, "permitted", True)
    probe = found(nucleo("openocd"))["USB 0483:374b"]
    assert probe.version == "may be opened: 066DFF (STM32 STLink, 0483:374b)"


@pytest.mark.parametrize(
    ("rule", "serves"),
    [
        ('SUBSYSTEM=="usb", ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b", MODE="0660"', True),
        ('ATTRS{idVendor}=="0483", MODE="0660"', True),
        ('ATTRS{idVendor}=="0483", ATTRS{idProduct}=="3744", MODE="0660"', False),
        ('ATTRS{idVendor}=="0d28", MODE="0660"', False),
        ('ATTRS{idVendor}=="0483", TAG+="uaccess"', True),
        ('# ATTRS{idVendor}=="0483", MODE="0660"', False),
        ('ATTRS{idVendor}=="0483", ENV{ID_MM_DEVICE_IGNORE}="1"', False),
    ],
)
def test_before_it_is_plugged_in_a_rule_tells(bare: Path, rule: str, serves: bool) -> None:
    (bare / "rules.d").mkdir()
    (bare / "rules.d" / "60-probe.rules").write_text(f"# probes\n{rule}\n")
    probe = found(nucleo("pyocd"))["USB 0483:374b"]
    assert probe.found is serves
    assert "60-probe.rules has a rule" in (probe.version or "") or not serves


def test_a_tool_on_a_serial_port_opens_no_usb_device(bare: Path) -> None:
    assert "USB 0483:374b" not in found(nucleo("stm32flash"))
    assert set(found(nucleo("teensy_loader_cli"))) == {"teensy_loader_cli", "USB 16c0:0478", "serial port"}


def ports(monkeypatch: pytest.MonkeyPatch, *there: ListPortInfo) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda *_: list(there))


def test_the_serial_port_is_found_or_said_why_not(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = nucleo("daplink")
    assert found(board)["serial port"].problem == "none with USB id 0483:374b is there"
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    try:
        ports(monkeypatch, port(name, "0483:374b", "066DFF", "STLINK-V3"))
        assert found(board)["serial port"].version == f"{name} (STLINK-V3, 0483:374b, serial number 066DFF)"
        monkeypatch.setattr(os, "access", lambda *_: False)
        refused = found(board)["serial port"]
        assert refused.problem == f"you may not open {name}"
        assert refused.install.startswith("sudo usermod -aG ") and "log in anew" in refused.install
    finally:
        os.close(ours)
        os.close(theirs)
    ports(monkeypatch, port("/dev/ttyACM0", "0483:374b", "1"), port("/dev/ttyACM1", "0483:374b", "2"))
    assert "/dev/ttyACM1 (n/a, 0483:374b, serial number 2)" in (found(board)["serial port"].problem or "")


def test_a_port_that_another_program_has_is_busy(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(url: str, baud: int) -> None:
        raise NoPort(f"cannot open port {url}: Could not exclusively lock port", "")

    ports(monkeypatch, port("/dev/null", "0483:374b"))
    monkeypatch.setattr(attached, "SerialPort", busy)
    finding = found(nucleo("daplink"))["serial port"]
    assert "Could not exclusively lock port" in (finding.problem or "")
    assert finding.install == "end the program that has it open"


def test_a_board_that_names_no_port(bare: Path) -> None:
    board = example("daplink")
    assert "--port" in found(board)["serial port"].install
