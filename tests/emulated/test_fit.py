"""What is estimated of flash before a build is what the linker makes of it, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from microwright import board, build, fit, graph, project
from microwright.target import OPTIMIZE, Optimize

MODELS = ("kws", "ad", "ic", "vww")
# The cores that differ in kernels or in the library; the boards with the most around the model.
BOARDS = ("mps2-an385-m0plus", "mps2-an385", "mps2-an386", "mps3-an547", "raspberry-pi-pico", "teensy41")


@pytest.mark.thorough
@pytest.mark.parametrize("optimize", OPTIMIZE)
@pytest.mark.parametrize("board_id", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_an_estimate_holds_for_the_reference_models(
    tmp_path: Path, shared_models: Path, name: str, board_id: str, optimize: Optimize
) -> None:
    model = graph.read((shared_models / f"{name}.tflite").read_bytes(), name)
    made = project.create(tmp_path / "p", model, board.load(board_id), optimize=optimize)
    found = fit.estimate(made.plan)
    used = next(region for region in build.build(made).footprint.regions if region.name == "flash")
    assert found.least <= used.used_bytes <= found.most
    assert abs(used.used_bytes - found.bytes) < 6_000
