"""Flashing: the tools' command lines, what is refused before they run, and which probe and port they get."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board as boards
from microwright import device, runners
from microwright.errors import (
    AmbiguousProbe,
    BoardError,
    InputError,
    NoPermission,
    NoPort,
    ToolMissing,
)
from microwright.link import ports
from microwright.runners import RUNNERS, Where
from microwright.runners.base import FlashTool, Job
from tests.support.flash_tools import PORT, SETTINGS, example, flash, install, play, plug
from tests.unit.test_runners import script

TTY = Where(port="/dev/ttyACM0")


def argv(name: str, settings: dict[str, str | int] | None = None, where: Where = TTY) -> str:
    made = example(name, settings)
    tool = RUNNERS[name]
    assert isinstance(tool, FlashTool)
    return " ".join(tool.argv(Job(Path(f"/p/firmware.{tool.image}"), 0x0800_0000, tool.checked(made), where)))


def test_every_tool_is_tried_here() -> None:
    assert set(SETTINGS) == {name for name, runner in RUNNERS.items() if isinstance(runner, runners.Flasher)}


@pytest.mark.parametrize(
    ("name", "settings", "where", "line"),
    [
        ("pyocd", None, Where(), "pyocd flash --no-wait --target stm32f446retx --format elf /p/firmware.elf"),
        (
            "pyocd",
            {"target": "nrf52840", "connect": "under-reset", "frequency": 1000000},
            Where("066DFF"),
            "pyocd flash --no-wait --target nrf52840 --connect under-reset --frequency 1000000 --uid 066DFF "
            "--format elf /p/firmware.elf",
        ),
        (
            "openocd",
            None,
            Where("066DFF"),
            "openocd -f board/st_nucleo_f4.cfg -c adapter serial 066DFF "
            "-c program {/p/firmware.elf} verify reset exit",
        ),
        (
            "openocd",
            {"interface": "interface/cmsis-dap.cfg", "target": "target/rp2040.cfg", "speed_khz": 5000},
            Where(),
            "openocd -f interface/cmsis-dap.cfg -f target/rp2040.cfg -c adapter speed 5000 "
            "-c program {/p/firmware.elf} verify reset exit",
        ),
        ("st-flash", None, Where(), "st-flash --reset --format ihex write /p/firmware.hex"),
        (
            "st-flash",
            {"connect": "under-reset"},
            Where("066DFF"),
            "st-flash --connect-under-reset --serial 066DFF --reset --format ihex write /p/firmware.hex",
        ),
        (
            "dfu-util",
            None,
            Where("3364"),
            "dfu-util --device 0483:df11 --alt 0 --serial 3364 --dfuse-address 0x08000000:leave "
            "--download /p/firmware.bin",
        ),
        ("stm32flash", None, None, "stm32flash -b 115200 -w /p/firmware.bin -v -g 0x0 /dev/ttyACM0"),
        (
            "stm32loader",
            {"family": "F4"},
            None,
            "stm32loader --port /dev/ttyACM0 --baud 115200 --family F4 --erase --write --verify "
            "--no-progress --address 0x08000000 --go-address 0x08000000 /p/firmware.bin",
        ),
        (
            "bossac",
            {"offset": 0x10000},
            None,
            "bossac --port=/dev/ttyACM0 --offset 0x10000 --erase --write --verify --reset /p/firmware.bin",
        ),
        ("teensy_loader_cli", None, Where(), "teensy_loader_cli --mcu=TEENSY41 -v /p/firmware.hex"),
    ],
)
def test_command_lines(
    name: str, settings: dict[str, str | int] | None, where: Where | None, line: str
) -> None:
    assert argv(name, settings, where or TTY) == line


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("pyocd", {}, "'runners.pyocd.target' is missing"),
        ("pyocd", {"target": "-x"}, "'runners.pyocd.target' is not a target"),
        ("pyocd", {"target": 5}, "'runners.pyocd.target' is not a target"),
        (
            "pyocd",
            {"target": "a", "targett": "b"},
            "'runners.pyocd.targett' is not a known key; did you mean",
        ),
        ("pyocd", {"target": "a", "frequency": -1}, "'runners.pyocd.frequency' is not"),
        ("openocd", {}, "has to name either the script of a board or those of a probe and a chip"),
        (
            "openocd",
            {"config": "board/a.cfg", "interface": "interface/a.cfg", "target": "target/a.cfg"},
            "either",
        ),
        ("openocd", {"config": "/tmp/x.cfg"}, "'runners.openocd.config' is not a script"),
        ("openocd", {"config": "board/../../x.cfg"}, "'runners.openocd.config' is not a script"),
        ("openocd", {"config": "board/a.cfg; exec ls"}, "'runners.openocd.config' is not a script"),
        ("st-flash", {"connect": "--area=option"}, "'runners.st-flash.connect' is not"),
        ("dfu-util", {"usb_id": "0483"}, "'runners.dfu-util.usb_id' is not"),
        ("bossac", {"usb_ids": "2341:005a,"}, "'runners.bossac.usb_ids' is not"),
        ("teensy_loader_cli", {"mcu": "A -w"}, "'runners.teensy_loader_cli.mcu' is not"),
        ("uf2", {"board_id": ""}, "'runners.uf2.board_id' is not"),
        ("daplink", {"board_ids": "99"}, "'runners.daplink.board_ids' is not"),
    ],
)
def test_settings_that_are_none_are_refused(name: str, settings: dict[str, str | int], said: str) -> None:
    with pytest.raises(BoardError, match=said.replace("(", r"\(")):
        runners.check(example(name, settings), name)


def test_a_board_without_a_flash_tool() -> None:
    with pytest.raises(BoardError, match="board mps2-an386 has no flash tool") as caught:
        runners.flasher(boards.load("mps2-an386"))
    assert "microwright run" in caught.value.hint


@pytest.mark.parametrize("probe", ["--flag", "", "a b", "x]; exec ls", "a\nb", "x" * 200])
def test_a_probe_that_could_be_anything_else_is_refused(probe: str) -> None:
    with pytest.raises(InputError, match="no serial number"):
        runners.check(example("openocd"), "openocd", Where(probe))


@pytest.mark.parametrize("port", ["-x", "", "a\nb"])
def test_a_port_that_could_be_an_option_is_refused(folder: Path, port: str) -> None:
    play(folder, "stm32flash", "")
    with pytest.raises(InputError, match="no name of a port"):
        flash(folder, "stm32flash", Where(port=port))


def test_a_path_that_would_end_the_word_of_openocd_is_refused(folder: Path) -> None:
    play(folder, "openocd", "")
    (folder / "a}b").mkdir()
    with pytest.raises(InputError, match="braces"):
        flash(folder / "a}b", "openocd")


def test_flashing_says_what_and_how_much(folder: Path) -> None:
    play(folder, "st-flash", "Flash written and verified! jolly good!", code=0)
    done = flash(folder, "st-flash")
    assert (done.runner, done.file, done.bytes) == ("st-flash", folder / "firmware.hex", 5)
    assert (folder / "arguments").read_text().split() == [
        *("--reset", "--format", "ihex", "write"),
        str(folder / "firmware.hex"),
    ]


def test_what_was_not_built_is_not_flashed(folder: Path) -> None:
    play(folder, "st-flash", "")
    (folder / "firmware.hex").unlink()
    with pytest.raises(InputError, match=r"firmware\.hex cannot be read") as caught:
        flash(folder, "st-flash")
    assert "microwright build" in caught.value.hint
    assert not (folder / "arguments").exists()


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("pyocd", "0.30.3", "pyocd 0.30.3 is too old: 0.34 or later is needed"),
        ("openocd", "Open On-Chip Debugger 0.11.0", "openocd 0.11.0 is too old: 0.12 or later is needed"),
        ("st-flash", "v1.6.1", "st-flash 1.6.1 is too old: 1.7 or later is needed"),
    ],
)
def test_a_tool_that_is_too_old_is_not_run(folder: Path, name: str, version: str, said: str) -> None:
    play(folder, name, "", version=version)
    with pytest.raises(ToolMissing) as caught:
        flash(folder, name)
    assert caught.value.message == said and "install" in caught.value.hint
    assert not (folder / "arguments").exists()


@pytest.mark.parametrize("name", [name for name in SETTINGS if isinstance(RUNNERS[name], FlashTool)])
def test_a_tool_that_is_missing_is_named_with_what_installs_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(ToolMissing, match=f"{name} is not installed") as caught:
        runners.check(example(name), name)
    assert caught.value.hint == install(name)


def test_where_a_tool_is_missing_another_one_of_the_board_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    play(folder, "st-flash", "")
    board = replace(example("pyocd"), runners={name: SETTINGS[name] for name in ("pyocd", "st-flash")})
    with pytest.raises(ToolMissing) as caught:
        runners.check(board)
    assert caught.value.hint == "python -m pip install pyocd; or --runner st-flash, which is here"


def test_a_tool_that_pip_installed_is_found_beside_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    script(tmp_path / "pyocd", "echo 0.40.0")
    runners.check(example("pyocd"), "pyocd")


@pytest.mark.parametrize("name", ["stm32flash", "teensy_loader_cli", "stm32loader", "bossac"])
def test_a_tool_that_takes_the_only_board_cannot_choose(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} cannot choose among several boards"):
        runners.check(example(name), name, Where("066DFF"))


# Probes that Linux knows of


@pytest.mark.parametrize("name", ["openocd", "st-flash"])
def test_a_tool_that_takes_any_probe_gets_none_to_choose_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    play(folder, name, "", code=0)
    plug(folder, monkeypatch, ("0483:374b", "066DFF"), ("0483:374b", "0670FF"), ("1d6b:0002", "hub"))
    with pytest.raises(AmbiguousProbe) as caught:
        flash(folder, name)
    assert caught.value.message == (
        f"{name}: there are several debug probes: 066DFF (STM32 STLink, 0483:374b); "
        "0670FF (STM32 STLink, 0483:374b)"
    )
    assert caught.value.hint == "choose one with --probe SERIAL"
    assert not (folder / "arguments").exists()
    flash(folder, name, Where("0670FF"))
    assert "0670FF" in (folder / "arguments").read_text()


def test_of_several_probes_the_boards_own_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(folder, "st-flash", "", code=0)
    plug(folder, monkeypatch, ("0483:374e", "002A"), ("0483:374b", "066DFF"))
    flash(folder, "st-flash", usb_ids=("0483:374b",))
    assert "--serial\n066DFF\n" in (folder / "arguments").read_text()


@pytest.mark.parametrize("serial", ["", "\x01\x02", "066DFF; exec id", "[exec id]", "-x"])
def test_a_serial_number_that_could_be_anything_else_is_not_given_to_a_tool(
    folder: Path, monkeypatch: pytest.MonkeyPatch, serial: str
) -> None:
    play(folder, "openocd", "", code=0)
    plug(folder, monkeypatch, ("0483:374e", "002A"), ("0483:374b", serial))
    with pytest.raises(AmbiguousProbe, match="cannot choose it among several"):
        flash(folder, "openocd", usb_ids=("0483:374b",))
    assert not (folder / "arguments").exists()


def test_a_probe_is_known_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(folder, "openocd", "", code=0)
    plug(folder, monkeypatch, ("0d28:0204", "9900"), ("c251:f001", "0001"))
    (folder / "devices" / "1-2" / "product").write_text("Keil CMSIS-DAP\n")
    with pytest.raises(AmbiguousProbe, match=r"several debug probes: 9900 .* 0001 .Keil CMSIS-DAP"):
        flash(folder, "openocd")


def test_one_probe_needs_no_serial_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(folder, "st-flash", "", code=0)
    plug(folder, monkeypatch, ("0483:3748", "\x01\x02"))
    flash(folder, "st-flash")
    assert "--serial" not in (folder / "arguments").read_text()


# Ports


def test_a_boot_loader_on_a_port_is_found_by_the_boards_ids(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.test_ports import DISCO, OTHER

    monkeypatch.setattr("serial.tools.list_ports.comports", lambda *_: [OTHER, DISCO])
    play(folder, "stm32flash", "", code=0)
    flash(folder, "stm32flash", Where(), usb_ids=("0483:374b",))
    assert (folder / "arguments").read_text().splitlines()[-1] == "/dev/ttyACM1"
    with pytest.raises(NoPort):
        flash(folder, "stm32flash", Where(), usb_ids=("0483:0001",))


def test_a_port_that_this_user_may_not_open_is_not_given_to_a_tool(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(folder, "stm32flash", "")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK)
    monkeypatch.setattr(shutil, "which", lambda name, **_: str(folder / name))
    with pytest.raises(NoPermission, match="stm32flash: this user may not open /dev/null") as caught:
        flash(folder, "stm32flash")
    assert caught.value.hint == f"sudo usermod -aG {Path('/dev/null').group()} $USER, and log in anew"
    with pytest.raises(NoPort, match="there is no port /dev/tty-not-there"):
        flash(folder, "stm32flash", Where(port="/dev/tty-not-there"))
    assert not (folder / "arguments").exists()


def test_a_boot_loader_is_at_the_firmwares_port_unless_it_has_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda *_: [])
    play(folder, "stm32flash", "")
    play(folder, "bossac", "")
    device.check(example("stm32flash"), url=PORT)
    device.check(example("bossac"), url=PORT)
    with pytest.raises(NoPort, match="no port matches USB id 2341:005a or 2341:805a"):
        device.check(example("bossac", {"usb_ids": "2341:005a,2341:805a"}), url=PORT)


class Bus:
    """Serial ports that come and go: what is listed, one list a look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *looks: str) -> None:
        self.looks = list(looks)
        self.opened: list[tuple[str, int]] = []
        monkeypatch.setattr(ports, "_POLL_S", 0.0)
        monkeypatch.setattr(ports, "listed", self.listed)
        monkeypatch.setattr("serial.Serial", self.open)

    def listed(self) -> tuple[ports.PortInfo, ...]:
        names = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return tuple(ports.PortInfo(name, "n/a", None, None) for name in names.split())

    def open(self, name: str, baud: int) -> Bus:
        self.opened.append((name, baud))
        return self

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        (("A B", "A B", "B", "B", "B C"), "C"),  # another name
        (("A B", "B", "A B"), "A"),  # the same one
        (("A B", "B C"), "C"),
    ],
)
def test_a_touch_at_1200_baud_waits_for_the_boot_loaders_port(
    monkeypatch: pytest.MonkeyPatch, looks: tuple[str, ...], found: str
) -> None:
    bus = Bus(monkeypatch, *looks)
    assert ports.touch("A") == found
    assert bus.opened == [("A", 1200)]


def test_a_port_that_stays_is_the_boot_loaders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_STAYS_S", 0.05)
    Bus(monkeypatch, "A B")
    assert ports.touch("A") == "A"


def test_a_port_that_does_not_come_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_BACK_S", 0.1)
    Bus(monkeypatch, "A B", "B")
    with pytest.raises(NoPort, match=r"port A did not come back within 0\.1 s"):
        ports.touch("A")
