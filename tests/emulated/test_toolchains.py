"""Projects built by Clang: the same bytes as the reference, and the way there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from microwright import board, build, project
from tests.emulated.test_deploy import samples
from tests.support.device import assert_equal_on_board
from tests.support.firmware import convolutional, dense


@pytest.mark.parametrize(
    "board_id",
    [
        "mps2-an386",
        "mps3-an547",
        *(
            pytest.param(more, marks=pytest.mark.thorough)
            for more in ("host", "mps2-an385-m0plus", "mps2-an385", "mps2-an500", "mps2-an505")
        ),
    ],
)
def test_what_clang_compiles_gives_the_references_bytes(tmp_path: Path, board_id: str) -> None:
    model = convolutional()
    on = board.load(board_id)
    image = assert_equal_on_board(tmp_path / "p", on, model, samples(model, 3), toolchain="clang")
    assert "clang version" in image.toolchain


@pytest.mark.parametrize(
    "board_id",
    [
        # Code that runs far from the flash.
        pytest.param(i, marks=[] if i == "teensy41" else pytest.mark.thorough)
        for i in board.all_ids()
        if board.load(i).ram is not None
    ],
)
def test_clang_compiles_every_port(tmp_path: Path, board_id: str) -> None:
    made = project.create(tmp_path / "p", dense(), board.load(board_id))
    assert "clang version" in build.build(made, toolchain="clang").toolchain


def test_a_project_keeps_its_toolchain_until_it_is_given_another(tmp_path: Path) -> None:
    made = project.create(tmp_path / "p", dense(), board.load("host"))
    assert "clang version" in build.build(made, toolchain="clang").toolchain
    made.directory.rename(tmp_path / "moved")
    made = project.open_project(tmp_path / "moved")
    assert "clang version" in build.build(made).toolchain
    # CMake would go on with Clang.
    preset = ["cmake", "--preset", "gcc"]
    done = subprocess.run(preset, cwd=made.directory, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "was made for Clang: remove it" in done.stderr
    assert build.build(made).toolchain.startswith("GCC ")
    assert "clang version" in build.build(made, toolchain="clang").toolchain
    assert build.build(made, toolchain="gcc").toolchain.startswith("GCC ")
