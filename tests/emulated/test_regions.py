"""Where arena and code lie on a device: in the regions that the board file names, with the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, fit, passes, project, target
from microwright.board import Board
from microwright.build import Image
from microwright.errors import TooLarge
from microwright.graph import Graph
from microwright.plan import plan
from tests.support.device import assert_equal_on_board
from tests.support.firmware import convolutional, dense
from tests.support.stateful import graph_of, memories


def placed(board_id: str, far_bytes: int, near_bytes: int, code_bytes: int = 0x10_0000) -> Board:
    """A board with two small regions for the arena, and one for code, named as a keyword of the linker."""
    known = board.load(board_id)
    name = "isram" if "isram" in known.extra else "psram"
    origin = known.extra[name].origin
    regions = {"far": (0, far_bytes), "near": (0x10_0000, near_bytes), "org": (0x20_0000, code_bytes)}
    lines = [line for line in known.text.splitlines() if not line.startswith(name)]
    at = next(i for i, line in enumerate(lines) if line.startswith("ram "))
    lines[at:at] = [
        f"{region} = {{ origin = {origin + offset}, bytes = {size} }}"
        for region, (offset, size) in regions.items()
    ]
    where = '[placement]\narena = ["far", "near"]\ncode = "org"\n\n[uart]'
    return board.parse("\n".join(lines).replace("[uart]", where).encode(), "placed", "placed.toml")


def symbols(image: Image) -> dict[str, int]:
    """Addresses by name."""
    with image.elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: int(symbol["st_value"]) for symbol in table.iter_symbols()}


def within(on: Board, region: str, address: int) -> bool:
    found = on.regions[region]
    return found.origin <= address < found.origin + found.bytes


def run(model: Graph, on: Board, folder: Path) -> Image:
    rng = np.random.default_rng(1)
    shapes = [model.tensors[index].shape for index in model.inputs]
    data = [tuple(rng.integers(-128, 128, shape, np.int8) for shape in shapes) for _ in range(3)]
    assert_equal_on_board(folder, on, model, data)
    return build.open_image(project.open_project(folder))


BOARDS = [
    "mps2-an386",
    pytest.param("mps2-an385-m0plus", marks=pytest.mark.thorough),
    pytest.param("mps2-an385", marks=pytest.mark.thorough),
    pytest.param("mps3-an547", marks=pytest.mark.thorough),
]


@pytest.mark.parametrize("board_id", BOARDS)
def test_an_arena_that_fits_no_region_is_split_over_two(board_id: str, tmp_path: Path) -> None:
    model = convolutional()
    whole = project.create(tmp_path / "whole", model, board.load(board_id)).arena_bytes
    on = placed(board_id, whole * 7 // 8, whole * 7 // 8)
    image = run(model, on, tmp_path / "split")
    found = symbols(image)
    assert within(on, "far", found["mw_arena"])
    assert within(on, "near", found["mw_arena_2"])
    assert within(on, "org", found["mw_model_invoke"])
    assert image.footprint.ram["arena"] == image.project.arena_bytes
    assert image.footprint.ram["code"] > 0


def test_state_lasts_in_a_split_arena(tmp_path: Path) -> None:
    m, _, line = memories(3, length=20)
    model = graph_of(m, line)
    made = project.create(tmp_path / "whole", model, board.load("mps2-an386"))
    on = placed("mps2-an386", made.plan.state_bytes + 48, 64)
    image = run(model, on, tmp_path / "split")
    assert image.project.plan.split
    assert within(on, "near", symbols(image)["mw_arena_2"])


def test_the_first_region_that_holds_the_arena_has_it(tmp_path: Path) -> None:
    on = placed("mps2-an386", 4096, 32768)
    image = run(dense(), on, tmp_path / "p")
    assert within(on, "far", symbols(image)["mw_arena"])
    there = project.create(tmp_path / "q", dense(), on.with_arena("ram"))
    again = build.build(project.open_project(there.directory))
    assert within(on, "ram", symbols(again)["mw_arena"])


def test_what_fits_no_region_is_refused_with_the_figures(tmp_path: Path) -> None:
    on = placed("mps2-an386", 64, 128)
    with pytest.raises(TooLarge, match=r"placed: near is \d+ bytes too small; of 128 bytes, the arena"):
        project.create(tmp_path / "p", convolutional(), on)
    assert not (tmp_path / "p").exists()


def test_code_that_its_region_does_not_hold_is_refused_as_such(tmp_path: Path) -> None:
    roomy = placed("mps2-an386", 65536, 65536)
    least = fit.estimate(plan(passes.run(dense()), target.of(roomy))).code_least
    on = placed("mps2-an386", 65536, 65536, code_bytes=least)
    with pytest.raises(
        TooLarge, match=rf"placed: org is \d+ bytes too small; of {least} bytes, the model's code"
    ) as raised:
        build.build(project.create(tmp_path / "p", dense(), on))
    assert "--optimize size makes it smaller; or take another region for `code`" in raised.value.hint
