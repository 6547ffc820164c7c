"""RP2040's second stage and RP2350's image definition: what their boot ROMs look for is in the image."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import ModuleType

import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, project
from tests.support.firmware import dense
from tests.support.quad_flash import Chip, Start
from tests.support.tools import imported

FLASH = 0x1000_0000


@pytest.fixture(scope="module")
def boot2() -> Iterator[ModuleType]:
    with imported("boot2") as modules:
        yield modules["boot2"]


def flash(board_id: str, folder: Path) -> bytes:
    """What the image has at the start of the flash."""
    image = build.build(project.create(folder, dense(), board.load(board_id)))
    with image.elf.open("rb") as file:
        segment = next(s for s in ELFFile(file).iter_segments("PT_LOAD") if s["p_paddr"] == FLASH)
        return bytes(segment.data())


def test_the_second_stage_is_its_source_assembled(boot2: ModuleType) -> None:
    assert boot2.PATH.read_text() == boot2.text(), "run python tools/boot2.py"


def test_the_boot_rom_of_rp2040_takes_the_second_stage(boot2: ModuleType, tmp_path: Path) -> None:
    # 123456789 is what catalogues of CRCs give the values of: this one is CRC-32/MPEG-2.
    assert boot2.crc32(b"123456789") == 0x0376_E6E7
    start = flash("raspberry-pi-pico", tmp_path / "p")
    assert boot2.crc32(start[:252]) == struct.unpack_from("<I", start, 252)[0]
    stack, reset = struct.unpack_from("<2I", start, 256)
    assert stack % 8 == 0
    assert FLASH + 256 < reset < FLASH + len(start)


def test_the_boot_rom_of_rp2350_finds_an_image_for_arm(tmp_path: Path) -> None:
    start = flash("raspberry-pi-pico-2", tmp_path / "p")[:4096]
    at = start.index(struct.pack("<I", 0xFFFF_DED3))
    assert at % 4 == 0
    kind, words, flags = struct.unpack_from("<BBH", start, at + 4)
    assert (kind, words) == (0x42, 1)
    # An executable (1), secure (2), for Arm (0), of RP2350 (1).
    assert (flags & 0xF, flags >> 4 & 3, flags >> 8 & 7, flags >> 12 & 7) == (1, 2, 0, 1)
    last, items, to_next, end = struct.unpack_from("<BHxiI", start, at + 8)
    assert (last, items, to_next, end) == (0xFF, words, 0, 0xAB12_3579)


CHIPS = {
    "quad already": (Chip(status=[0x1C, 0x02]), "quad", 0),
    "quad made possible": (Chip(status=[0x1C, 0x40]), "quad", 1),
    "status that does not change": (Chip(volatile=False), "serial", 0),
    "no second status": (Chip(second=False), "serial", 0),
    "status without quad": (Chip(quad=False, status=[0, 2]), "serial", 0),
    "longer wait": (Chip(dummy=6), "serial", 1),
    "busy for ever": (Chip(stuck=True), "serial", 1),
    "other maker": (Chip(maker=0xC2, second=False), "serial", 0),
}


@pytest.mark.parametrize("name", CHIPS)
def test_the_second_stage_makes_a_flash_chip_readable(boot2: ModuleType, name: str) -> None:
    chip, way, writes = deepcopy(CHIPS[name])
    before = list(chip.status)
    stage = boot2.code()
    stage += struct.pack("<I", boot2.crc32(stage))
    image = stage + struct.pack("<2I", 0x2000_4000, FLASH + 0x201) + bytes(range(256)) * 4
    started = Start(stage, image, chip)
    started.run()
    assert started.at == (FLASH + 0x200, 0x2000_4000, FLASH + 0x100)
    for offset in (0, 0x100, 0x204):
        assert started.flash_word(offset) == int.from_bytes(image[offset : offset + 4], "little")
    assert chip.continuous == (way == "quad")
    # 66.5 MHz of at most 133, 33.25 MHz of at most 50 at 133 MHz.
    assert started.divider == (2 if way == "quad" else 4)
    assert chip.writes == writes
    assert chip.status == [before[0], before[1] | 2 * writes]
    assert not chip.four_lines


def test_the_second_stage_returns_to_who_called_it(boot2: ModuleType) -> None:
    stage = boot2.code()
    stage += struct.pack("<I", boot2.crc32(stage))
    started = Start(stage, stage + bytes(1024), Chip())
    started.run(return_address=0x2000_0101)
    assert started.at == (0x2000_0100, 0x2004_1F00, 0)
