"""RP2040's second stage and RP2350's image definition: what their boot ROMs look for is in the image."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, project
from tests.support.firmware import dense
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
