"""Convolutions for any core on emulated cores without the DSP extension against TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ops import test_depthwise_conv_2d as depthwise
from tests.ops.test_conv_2d import add_batch, add_conv, add_grouped, add_wide_conv
from tests.ops.test_depthwise_conv_2d import add_depthwise
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick

CORES = ("mps2-an385", "mps2-an385-m0plus")
KERNELS = ("conv_2d_s8_portable", "conv_1x1_s8_portable", "depthwise_conv_2d_s8_portable")


def add_together(made: Layers, rng: Rng) -> None:
    """Groups of channels, or several images."""
    pick(rng, (add_grouped, add_batch, depthwise.add_batch))(made, rng)


def add_layer(made: Layers, rng: Rng) -> None:
    if rng.random() < 0.1:
        add_together(made, rng)
        return
    taps = pick(rng, ((1, 1), (3, 3), (5, 5), (1, 4), None))
    pick(rng, (add_conv, add_depthwise))(made, rng, usual=taps)


@pytest.mark.parametrize("board_id", CORES)
def test_random_layers(tmp_path: Path, board_id: str) -> None:
    kernels = assert_random_layers_equal_on(board_id, tmp_path / "p", add_layer, seed=5, count=60)
    for kernel in KERNELS:
        assert kernels[kernel] > 5, f"too few layers of the sample were for {kernel}"


@pytest.mark.parametrize("board_id", CORES)
def test_accumulators_of_almost_24_bits(tmp_path: Path, board_id: str) -> None:
    kernels = assert_random_layers_equal_on(board_id, tmp_path / "p", add_wide_conv, seed=6, count=6)
    assert kernels["conv_1x1_s8_portable"] == 6


@pytest.mark.thorough
def test_groups_and_batches(tmp_path: Path) -> None:
    kernels = assert_random_layers_equal_on("mps2-an385", tmp_path / "p", add_together, seed=2, count=45)
    for kernel in KERNELS:
        assert kernels[kernel] > 2, f"too few layers of the sample were for {kernel}"


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", CORES)
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_random_layers(tmp_path: Path, board_id: str, seed: int) -> None:
    assert_random_layers_equal_on(board_id, tmp_path / "p", add_layer, seed=seed, count=60)
