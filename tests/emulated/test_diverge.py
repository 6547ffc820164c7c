"""A device on an emulated board whose kernel is wrong: `measure` says so, `diverge` says where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microwright import board, build, cli, project
from microwright.diverge import locate
from microwright.samples import random
from tests.support import firmware
from tests.support.broken import broken, plan_of
from tests.support.random_graph import RandomGraph


def test_an_edited_kernel_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "p"
    project.create(folder, firmware.convolutional(), board.load("mps2-an386"))
    # The rounding of the average pool.
    (path,) = (folder / "runtime" / "src").glob("average_pool*.c")
    source = path.read_text()
    assert "taps / 2" in source
    path.write_text(source.replace("taps / 2", "taps / 2 + 1", 1))
    assert cli.execute(["build", str(folder)]) == 0
    assert cli.execute(["measure", str(folder)]) == 8
    assert f"microwright diverge {folder}" in capsys.readouterr().err
    assert cli.execute(["diverge", str(folder)]) == 8
    said = capsys.readouterr().err
    assert "layer 3 AVERAGE_POOL_2D" in said and "at fault: device" in said
    assert f"runtime/src/{path.name}: not as generated" in said


@pytest.mark.parametrize("board_id", ["mps2-an385-m0plus", "mps3-an547"])
def test_a_broken_layer_is_found_among_other_kernels_and_places(tmp_path: Path, board_id: str) -> None:
    model = RandomGraph(5).build(nodes=10)
    made = project.create(tmp_path / "p", model, board.load(board_id))
    plan = plan_of(made)
    rng = np.random.default_rng(0)
    call = plan.calls[len(plan.calls) // 2]
    output = plan.roots[call.step.outputs[0]]
    place = plan.offsets[output] + int(rng.integers(plan.graph.tensors[output].size_bytes))
    wanted = random(model, 1).inputs
    assert locate(build.build(made), wanted).fault == "none"
    found = locate(broken(made, {call.node: f"base[{place}] ^= 0x10;"}), wanted)
    assert found.first is not None and found.first.index == plan.graph.nodes[call.node].index
    assert found.first.differences[0].differing_bytes == 1
