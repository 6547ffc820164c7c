"""Kernels of the DSP extension on emulated cores against TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ops import test_depthwise_conv_2d as depthwise
from tests.ops.test_conv_2d import add_batch, add_conv, add_grouped
from tests.ops.test_depthwise_conv_2d import add_depthwise
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick

CORES = ("mps2-an386", "mps2-an500", "mps2-an505")
KERNELS = (
    "conv_2d_s8_dsp",
    "conv_1x1_s8_dsp",
    "depthwise_3x3_s8_dsp",
    "depthwise_conv_2d_s8_dsp",
)


# The same kernels run on all of them.
USUAL_FIRST = [pytest.param(i, marks=() if i == CORES[0] else pytest.mark.thorough) for i in CORES]


def add_together(made: Layers, rng: Rng) -> None:
    """Groups of channels, or several images."""
    pick(rng, (add_grouped, add_batch, depthwise.add_batch))(made, rng)


def add_layer(made: Layers, rng: Rng) -> None:
    if rng.random() < 0.1:
        add_together(made, rng)
        return
    taps = pick(rng, ((1, 1), (3, 3), None))
    pick(rng, (add_conv, add_depthwise))(made, rng, usual=taps)


@pytest.mark.parametrize("board_id", USUAL_FIRST)
def test_random_layers(tmp_path: Path, board_id: str) -> None:
    kernels = assert_random_layers_equal_on(board_id, tmp_path / "p", add_layer, seed=5, count=40)
    for kernel in KERNELS:
        assert kernels[kernel] > 0, f"no layer of the sample was for {kernel}"


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", CORES)
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_random_layers(tmp_path: Path, board_id: str, seed: int) -> None:
    assert_random_layers_equal_on(board_id, tmp_path / "p", add_layer, seed=seed, count=60)


@pytest.mark.thorough
def test_groups_and_batches(tmp_path: Path) -> None:
    kernels = assert_random_layers_equal_on("mps2-an386", tmp_path / "p", add_together, seed=2, count=45)
    for kernel in KERNELS:
        assert kernels[kernel] > 2, f"no layer of the sample was for {kernel}"


def test_sums_that_are_small_with_their_bias_only(tmp_path: Path) -> None:
    """A pair's second sum, below 2^23 for all inputs, but beyond -2^23 before its bias is added."""

    def add(made: Layers, rng: Rng) -> None:
        weights = np.ones((2, 518), np.int8)
        weights[1] = 127
        weights[1, -1] = 41
        x = made.input((1, 518), scale=1.0)
        w = made.maker.const(weights, scale=1.0)
        b = made.maker.const(np.array([0, 30_000], np.int32), scale=1.0)
        y = made.output((1, 2), scale=70_000.0, name="fully connected")
        made.maker.node("FULLY_CONNECTED", [x, w, b], [y])

    kernels = assert_random_layers_equal_on("mps2-an386", tmp_path / "p", add, seed=1, count=1)
    assert kernels["fully_connected_s8_dsp"] == 1


def test_the_least_weight_in_an_odd_last_channel(tmp_path: Path) -> None:
    """-128 there is beside no other channel's weight that it could be mixed up with."""

    def add(made: Layers, rng: Rng) -> None:
        out_len = int(pick(rng, (1, 3, 5, 7)))
        values = rng.integers(-127, 128, (out_len, 37), np.int8)
        values[-1, ::3] = -128
        x = made.input((1, 37), scale=0.5, zero_point=-3)
        y = made.output((1, out_len), scale=60.0, name=f"fully connected {out_len=}")
        made.maker.node("FULLY_CONNECTED", [x, made.maker.const(values, scale=0.5)], [y])

    kernels = assert_random_layers_equal_on("mps2-an386", tmp_path / "p", add, seed=1, count=6)
    assert kernels["fully_connected_s8_dsp"] == 6
