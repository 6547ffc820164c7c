"""Helium kernels on an emulated Cortex-M55 against TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ops.test_conv_2d import add_conv
from tests.ops.test_depthwise_conv_2d import add_depthwise
from tests.ops.test_fully_connected import add_fully_connected
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick

BOARD = "mps3-an547"
KERNELS = ("conv_2d_s8_mve", "conv_1x1_s8_mve", "fully_connected_s8_mve", "depthwise_3x3_s8_mve")


def add_convolution(made: Layers, rng: Rng) -> None:
    """Vectors of 16 and what is left of them, in several rounds of the inner loop and in one."""
    add_conv(
        made,
        rng,
        in_ch=pick(rng, (1, 3, 8, 16, 17, 24, 64, 150)),
        out_ch=pick(rng, (1, 2, 5, 8, 12, 13, 16, 17, 31, 40)),
        usual=pick(rng, ((1, 1), (3, 3), (5, 5), (1, 5), (4, 1), None)),
    )


def add_depthwise_3x3(made: Layers, rng: Rng) -> None:
    add_depthwise(made, rng, usual=(3, 3))


def add_layer(made: Layers, rng: Rng) -> None:
    pick(rng, (add_convolution, add_convolution, add_fully_connected, add_depthwise_3x3))(made, rng)


def test_random_layers(tmp_path: Path) -> None:
    kernels = assert_random_layers_equal_on(BOARD, tmp_path / "p", add_layer, seed=11, count=60)
    for kernel in KERNELS:
        assert kernels[kernel] > 0, f"no layer of the sample was for {kernel}"


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(200, 210))
def test_many_random_layers(tmp_path: Path, seed: int) -> None:
    assert_random_layers_equal_on(BOARD, tmp_path / "p", add_layer, seed=seed, count=40)
