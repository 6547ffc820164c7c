"""Finding the port of a board: the one that is meant, or an error that lists what is there."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from microwright import board as boards
from microwright import cli
from microwright.board import Board
from microwright.build import Image
from microwright.device import reach
from microwright.errors import AmbiguousPort, BoardError, NoPort
from microwright.link import Link, ports
from microwright.project import Project
from tests.unit.test_board import GOOD


def port(
    device: str, usb_id: str | None = None, serial: str | None = None, name: str = "n/a"
) -> ListPortInfo:
    found = ListPortInfo(device)
    found.description = name
    if usb_id is not None:
        found.vid, found.pid = (int(part, 16) for part in usb_id.split(":"))
        found.serial_number = serial
        found.hwid = found.usb_info()
    return found


DISCO = port("/dev/ttyACM1", "0483:374b", "066DFF", "STLINK-V3")
OTHER = port("/dev/ttyACM0", "2e8a:000a", "E660", "Pico")
PLAIN = port("/dev/ttyS0")


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[ListPortInfo]:
    """What pyserial finds; USB devices cannot be made here."""
    there: list[ListPortInfo] = []
    monkeypatch.setattr(list_ports, "comports", lambda *_: list(there))
    return there


def test_a_board_is_found_by_its_usb_ids(plugged: list[ListPortInfo]) -> None:
    plugged += [PLAIN, OTHER, DISCO]
    assert ports.find(["0483:374b"], "b") == "/dev/ttyACM1"
    assert ports.find(["0483:ffff", "2e8a:000a"], "b") == "/dev/ttyACM0"


def test_no_port_lists_what_is_there(plugged: list[ListPortInfo]) -> None:
    with pytest.raises(NoPort, match="no port matches USB id 0483:374b; there is no serial port"):
        ports.find(["0483:374b"], "b")
    plugged += [PLAIN, OTHER]
    with pytest.raises(NoPort) as caught:
        ports.find(["0483:374b", "0483:374e"], "b")
    assert caught.value.message == (
        "no port matches USB id 0483:374b or 0483:374e; there are: "
        "/dev/ttyACM0 (Pico, 2e8a:000a, serial number E660); /dev/ttyS0 (n/a, no USB id)"
    )


def test_two_ports_are_listed(plugged: list[ListPortInfo]) -> None:
    plugged += [DISCO, OTHER, port("/dev/ttyACM10", "0483:374b", "0670FF", "STLINK-V3")]
    with pytest.raises(AmbiguousPort) as caught:
        ports.find(["0483:374b"], "b")
    assert caught.value.message == (
        "2 ports match USB id 0483:374b: /dev/ttyACM1 (STLINK-V3, 0483:374b, serial number 066DFF); "
        "/dev/ttyACM10 (STLINK-V3, 0483:374b, serial number 0670FF)"
    )


def test_of_two_ports_the_one_of_the_probe_that_was_chosen_is_taken(plugged: list[ListPortInfo]) -> None:
    plugged += [DISCO, port("/dev/ttyACM10", "0483:374b", "0670FF", "STLINK-V3")]
    assert ports.find(["0483:374b"], "b", "0670ff") == "/dev/ttyACM10"
    assert ports.find(["0483:374b"], "b", "066") == "/dev/ttyACM1"
    for serial_number in ("06", "/media/RPI-RP2"):
        with pytest.raises(AmbiguousPort):
            ports.find(["0483:374b"], "b", serial_number)


def test_many_ports_stay_one_line(plugged: list[ListPortInfo]) -> None:
    plugged += [port(f"COM{i}", name="x\n\x1b[2J" * 100) for i in range(40)]
    with pytest.raises(NoPort) as caught:
        ports.find(["0483:374b"], "b")
    message = caught.value.message
    assert "and 32 more" in message and "COM7 (" in message and "COM10" not in message
    assert message.isprintable() and len(message) < 1500


def test_a_board_without_ids_says_so(plugged: list[ListPortInfo]) -> None:
    plugged.append(DISCO)
    with pytest.raises(
        BoardError, match="board b names no USB ids to find its port by; there are: /dev/ttyACM1"
    ):
        ports.find([], "b")


@pytest.mark.parametrize(
    ("url", "device"),
    [
        ("hwgrep://0483:374b", "/dev/ttyACM1"),
        ("hwgrep://SER=E660", "/dev/ttyACM0"),
        ("HWGREP://stlink", "/dev/ttyACM1"),
        ("hwgrep://ttyACM&n=2", "/dev/ttyACM1"),
    ],
)
def test_hwgrep_finds_the_one_that_matches(plugged: list[ListPortInfo], url: str, device: str) -> None:
    plugged += [DISCO, OTHER, PLAIN]
    assert ports.resolve(url) == device


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("hwgrep://ttyACM", AmbiguousPort, "2 ports match hwgrep://ttyACM: /dev/ttyACM0 "),
        ("hwgrep://nothing", NoPort, "no port matches hwgrep://nothing; there are: /dev/ttyACM0 "),
        ("hwgrep://ttyACM&n=3", NoPort, "no port matches"),
        ("hwgrep://ttyACM&n=0", NoPort, "'n=0' is not n=1 or higher"),
        ("hwgrep://ttyACM&skip_busy", NoPort, "'skip_busy' is not"),
        ("hwgrep://(", NoPort, r"'\(' is no regular expression"),
    ],
)
def test_hwgrep_that_names_no_port_is_an_error(
    plugged: list[ListPortInfo], url: str, kind: type[Exception], said: str
) -> None:
    plugged += [DISCO, OTHER, PLAIN]
    with pytest.raises(kind, match=said):
        Link(url, 115_200)


@pytest.mark.parametrize(
    ("platform", "name", "opened"),
    [
        ("linux", "/dev/ttyACM0", "/dev/ttyACM0"),
        ("linux", "/dev/tty.usbmodem1", "/dev/tty.usbmodem1"),
        ("darwin", "/dev/tty.usbmodem1101", "/dev/cu.usbmodem1101"),
        ("darwin", "/dev/cu.usbmodem1101", "/dev/cu.usbmodem1101"),
        ("win32", "COM3", "COM3"),
        ("win32", r"\\.\COM10", r"\\.\COM10"),
        ("win32", "socket://localhost:7", "socket://localhost:7"),
    ],
)
def test_names_of_operating_systems(
    monkeypatch: pytest.MonkeyPatch, platform: str, name: str, opened: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert ports.resolve(name) == opened


@pytest.mark.parametrize("name", ["COM3", r"\\.\COM10", "cu.usbmodem1101"])
def test_a_name_reaches_the_system_as_it_was_given(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On this system such a name is a file's.
    ours, theirs = os.openpty()
    (tmp_path / name).symlink_to(os.ttyname(theirs))
    monkeypatch.chdir(tmp_path)
    try:
        with Link(name, 115_200) as link:
            os.write(ours, b"@0 damaged #x\n")
            assert link.damaged_lines == 0
    finally:
        os.close(ours)
        os.close(theirs)


# The device of a project


def image(board: Board) -> Image:
    made: Any = Project(Path("/project"), board, "aot", "balanced", "m", "0" * 64, 16, {})
    found: Any = Image.__new__(Image)
    object.__setattr__(found, "project", made)
    return found


def real_board() -> Board:
    """A board that nothing here can start."""
    made = boards.parse(GOOD.encode(), "nucleo", "nucleo.toml")
    return replace(made, runners={"pyocd": {"target": "stm32f407vgtx"}})


def test_without_an_emulator_the_port_is_looked_for(plugged: list[ListPortInfo]) -> None:
    plugged += [DISCO, OTHER]
    with reach(image(real_board())) as reached:
        assert (reached.url, reached.emulation) == ("/dev/ttyACM1", None)
    with reach(image(real_board()), "COM3") as reached:
        assert (reached.url, reached.emulation) == ("COM3", None)
    with pytest.raises(BoardError, match="has no runner 'later'"), reach(image(real_board()), runner="later"):
        pass


def test_auto_looks_for_it_in_any_case(plugged: list[ListPortInfo]) -> None:
    board = replace(boards.load("mps2-an386"), serial=replace(real_board().serial))
    plugged += [DISCO, OTHER]
    with reach(image(board), ports.AUTO) as reached:
        assert (reached.url, reached.emulation) == ("/dev/ttyACM1", None)
    plugged.clear()
    with pytest.raises(NoPort), reach(image(board), ports.AUTO):
        pass


@pytest.mark.parametrize(
    ("url", "runner", "emulated"),
    [
        ("socket://127.0.0.1:1", None, True),
        ("SOCKET://127.0.0.1:1", None, True),
        ("/dev/ttyUSB0", None, False),
        ("hwgrep://MPS2", None, False),
        ("rfc2217://bench:1", None, False),
        ("/dev/pts/3", "qemu", True),
    ],
)
def test_time_is_an_emulators_where_one_listens(url: str, runner: str | None, emulated: bool) -> None:
    # The first runner is one that this version does not know.
    board = replace(boards.load("mps2-an386"), runners={"later": {}, **boards.load("mps2-an386").runners})
    with reach(image(board), url, runner) as reached:
        assert (reached.url, reached.emulation is not None) == (url, emulated)


# microwright ports


def test_ports_lists_them_with_their_boards(
    plugged: list[ListPortInfo], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged += [port("COM10"), DISCO, port("COM3")]
    monkeypatch.setattr(boards, "all_ids", lambda: ("nucleo",))
    monkeypatch.setattr(boards, "load", lambda board_id: real_board())
    assert cli.execute(["ports", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["device"] for entry in found] == ["/dev/ttyACM1", "COM3", "COM10"]
    assert found[0] == {
        "device": "/dev/ttyACM1",
        "description": "STLINK-V3",
        "usb_id": "0483:374b",
        "serial_number": "066DFF",
        "boards": ["nucleo"],
    }
    assert cli.execute(["ports"]) == 0
    assert "STLINK-V3" in capsys.readouterr().out


def test_no_ports_is_no_error(plugged: list[ListPortInfo], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["ports"]) == 0
    assert capsys.readouterr().err == "there is no serial port\n"
