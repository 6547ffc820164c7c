"""Every board's firmware: it builds, and what starts the chip lies where the chip looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, project
from microwright.board import Board
from tests.support.firmware import dense

BOARDS = tuple(made for made in map(board.load, board.all_ids()) if made.cpu.core != "native")
# By default one board of each template: the others' images differ in numbers only.
FIRST = {made.template: made.id for made in reversed(BOARDS)}


def cases(boards: tuple[Board, ...]) -> list[object]:
    return [
        pytest.param(made, id=made.id, marks=[] if FIRST[made.template] == made.id else pytest.mark.thorough)
        for made in boards
    ]


def word(data: bytes, index: int) -> int:
    return int.from_bytes(data[4 * index : 4 * index + 4], "little")


@pytest.mark.parametrize("on", cases(BOARDS))
def test_the_image_is_where_the_chip_looks_for_it(tmp_path: Path, on: Board) -> None:
    assert on.flash is not None
    assert on.ram is not None
    image = build.build(project.create(tmp_path / "p", dense(), on))
    with image.elf.open("rb") as file:
        elf = ELFFile(file)
        sections = {section.name: section for section in elf.iter_sections() if section["sh_flags"] & 2}
        vectors, text = sections[".vectors"], sections[".text"]
        in_front = sections[".boot"]["sh_size"] if ".boot" in sections else 0
        assert vectors["sh_addr"] == on.flash.origin + in_front
        stack, reset = word(vectors.data(), 0), word(vectors.data(), 1)
        assert stack % 8 == 0
        assert on.ram.origin < stack <= on.ram.origin + on.ram.bytes
        assert reset % 2 == 1
        assert text["sh_addr"] <= reset < text["sh_addr"] + text["sh_size"]
        regions = (on.flash, on.ram, *on.extra.values())
        for name, section in sections.items():
            start, end = section["sh_addr"], section["sh_addr"] + section["sh_size"]
            assert any(r.origin <= start and end <= r.origin + r.bytes for r in regions), name
        for segment in elf.iter_segments("PT_LOAD"):
            start, end = segment["p_paddr"], segment["p_paddr"] + segment["p_filesz"]
            inside = on.flash.origin <= start and end <= on.flash.origin + on.flash.bytes
            assert inside or segment["p_filesz"] == 0
