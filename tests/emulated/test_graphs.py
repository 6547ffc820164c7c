"""Random whole graphs on emulated cores: kernels of a core, with the buffers that they overlap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microwright import board
from microwright.target import OPTIMIZE
from tests.support.device import assert_equal_on_board
from tests.support.operands import random_data
from tests.support.random_graph import RandomGraph

CORES = ("mps2-an385", "mps2-an386", "mps2-an505", "mps3-an547")
ALL_CORES = (*CORES, "mps2-an385-m0plus", "mps2-an500")


def assert_exact(folder: Path, board_id: str, seed: int) -> None:
    model = RandomGraph(seed).build(nodes=10 + seed % 30)
    rng = np.random.default_rng(seed)
    tensors = [model.tensors[i] for i in model.inputs]
    data = [tuple(random_data(rng, t.shape, t.dtype) for t in tensors) for _ in range(3)]
    assert_equal_on_board(folder, board.load(board_id), model, data, OPTIMIZE[seed % len(OPTIMIZE)])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("board_id", CORES)
def test_random_graphs(tmp_path: Path, board_id: str, seed: int) -> None:
    assert_exact(tmp_path / "p", board_id, seed)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 125))
@pytest.mark.parametrize("board_id", ALL_CORES)
def test_many_random_graphs(tmp_path: Path, board_id: str, seed: int) -> None:
    assert_exact(tmp_path / "p", board_id, seed)
