"""What families of chips make of a board file, with any of the chip's UARTs and clocks that cannot be, and of
older chips."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from microwright import board, build, project
from microwright.board import Board
from tests.emulated.test_boards import assert_outputs
from tests.support.firmware import dense

# A board of each family of STM32 whose UARTs have a choice of pins; by default the one with most UARTs.
BOARDS = {
    made.template: pytest.param(
        made, id=made.id, marks=[] if made.template.endswith("h7") else pytest.mark.thorough
    )
    for made in map(board.load, board.all_ids())
    if made.template.startswith("cortex_m/stm32/") and not made.template.endswith("f1")
}
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only")


@pytest.fixture(params=BOARDS.values())
def on(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    """A board, with a project in tmp_path."""
    made: Board = request.param
    project.create(tmp_path, dense(), made)
    return made


def compiled(folder: Path, on: Board, **macros: str) -> str:
    """What the compiler says of a project's chip.c where facts of the board are others."""
    header = folder / "port" / "mw_board.h"
    was = header.read_text()
    text = was
    for name, value in macros.items():
        text, found = re.subn(rf"(?m)^#define {name} .*$", f"#define {name} {value}", text)
        assert found == 1
    header.write_text(text)
    command = ["arm-none-eabi-gcc", *on.cpu.compile_flags, *FLAGS, str(folder / "port" / "chip.c")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    header.write_text(was)
    return run.stderr


def test_any_uart_of_the_chip_can_be_the_boards(tmp_path: Path, on: Board) -> None:
    source = (tmp_path / "port" / "chip.c").read_text()
    bases = re.findall(r"if MW_UART_BASE == (0x[0-9a-f]{8}u)", source)
    assert len(bases) >= 3
    for base in bases:
        assert compiled(tmp_path, on, MW_UART_BASE=base) == ""
    other = compiled(tmp_path, on, MW_UART_BASE="0x40000000u")
    assert "board.toml: base of [uart] is none of the chip's UARTs" in other


def test_a_clock_that_the_pll_does_not_make_is_refused(tmp_path: Path, on: Board) -> None:
    assert re.search(r"board\.toml: .*does not make clock_hz", compiled(tmp_path, on, MW_CPU_HZ="71000000u"))


@pytest.mark.thorough
def test_an_h743_before_revision_v_has_400_mhz_and_one_read_of_axi_ram_at_a_time(tmp_path: Path) -> None:
    image = build.build(project.create(tmp_path / "p", dense(), board.load("nucleo-h743zi2")))
    trace = tmp_path / "trace.jsonl"
    revision_y = ("--register", "0x5c001000=0x10036450", "--trace", str(trace))
    assert_outputs(image, "unicorn", 400_000_000, revision_y)
    written = [json.loads(line) for line in trace.read_text().splitlines()]
    assert {line["value"] for line in written if line.get("address") == 0x5100_8108} == {1}
    assert [line["clocks_in_a_bit"] for line in written if "clocks_in_a_bit" in line] == [868]
