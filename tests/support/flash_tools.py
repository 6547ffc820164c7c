"""Boards with flash tools, and the tools played by scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import board as boards
from microwright import runners
from microwright.board import Board
from microwright.runners import RUNNERS, Where, usb
from microwright.runners.base import Flasher, FlashTool
from tests.unit.test_board import GOOD
from tests.unit.test_runners import image, script

# Settings with which each tool is tried.
SETTINGS: dict[str, dict[str, str | int]] = {
    "pyocd": {"target": "stm32f446retx"},
    "openocd": {"config": "board/st_nucleo_f4.cfg"},
    "st-flash": {},
    "dfu-util": {},
    "stm32flash": {},
    "stm32loader": {},
    "bossac": {},
    "teensy_loader_cli": {"mcu": "TEENSY41"},
    "uf2": {"board_id": "RPI-RP2"},
    "daplink": {"board_ids": "9903,9904"},
}
VERSIONS = {
    "pyocd": "0.36.0",
    "openocd": "Open On-Chip Debugger 0.12.0",
    "st-flash": "v1.7.0",
    "dfu-util": "dfu-util 0.11\n\nCopyright 2005-2009 Weston Schmidt",
    "stm32loader": "0.7.1",
    "bossac": "Usage: bossac\nBasic Open Source SAM-BA Application (BOSSA) Version 1.9.1",
}
PORT = "/dev/null"


def example(
    name: str, settings: Mapping[str, str | int] | None = None, usb_ids: tuple[str, ...] = ()
) -> Board:
    made = boards.parse(GOOD.encode(), "example", "example.toml")
    return replace(
        made,
        runners={name: SETTINGS[name] if settings is None else settings},
        serial=replace(made.serial, usb_ids=usb_ids),
    )


def play(folder: Path, name: str, said: str, code: int = 1, version: str | None = None) -> None:
    """A tool that prints its version where it is asked, and else this."""
    (folder / f"{name}.said").write_text(said)
    (folder / f"{name}.version").write_text(version or VERSIONS.get(name, ""))
    script(
        folder / name,
        f'case "$*" in --version|--help) /bin/cat {folder}/{name}.version; exit 0;; esac',
        f'printf "%s\\n" "$@" >{folder}/arguments',
        f"/bin/cat {folder}/{name}.said; exit {code}",
    )


def flash(folder: Path, name: str, where: Where | None = None, **others: tuple[str, ...]) -> runners.Flashed:
    made = replace(image(example(name, **others)), elf=folder / "firmware.elf")
    tool = RUNNERS[name]
    assert isinstance(tool, Flasher)
    where = where or (Where(port=PORT) if tool.needs_port else Where())
    return runners.flash(made, where=where)


def install(name: str) -> str:
    tool = RUNNERS[name]
    assert isinstance(tool, FlashTool)
    return tool.install


def plug(folder: Path, monkeypatch: pytest.MonkeyPatch, *devices: tuple[str, str]) -> None:
    """USB devices: vendor:product and serial number of each."""
    monkeypatch.setattr(usb, "DEVICES", folder / "devices")
    monkeypatch.setattr(usb, "NODES", folder / "nodes")
    for number, (usb_id, serial) in enumerate(devices, 1):
        device = folder / "devices" / f"1-{number}"
        device.mkdir(parents=True)
        vendor, product = usb_id.split(":")
        facts = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": str(number)}
        for name, value in {**facts, "serial": serial, "product": "STM32 STLink"}.items():
            (device / name).write_text(f"{value}\n")
    (folder / "devices" / "usb1").mkdir(exist_ok=True)
