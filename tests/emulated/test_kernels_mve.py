"""Helium kernels on an emulated Cortex-M55 against TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ops.test_add import add_add
from tests.ops.test_conv_2d import add_conv
from tests.ops.test_depthwise_conv_2d import add_depthwise
from tests.ops.test_fully_connected import add_fully_connected
from tests.support import layers
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick

BOARD = "mps3-an547"
KERNELS = (
    "add_s8_mve",
    "average_pool_2d_s8_mve",
    "conv_1x1_s8_mve",
    "conv_2d_s8_mve",
    "depthwise_3x3_s8_mve",
    "depthwise_conv_2d_s8_mve",
    "fully_connected_s8_mve",
    "max_pool_2d_s8_mve",
)


def add_convolution(made: Layers, rng: Rng) -> None:
    """Vectors of 16 and what is left of them, in several rounds of the inner loop and in one."""
    add_conv(
        made,
        rng,
        in_ch=pick(rng, (1, 3, 8, 16, 17, 24, 64, 150)),
        out_ch=pick(rng, (1, 2, 5, 8, 12, 13, 16, 17, 31, 40)),
        usual=pick(rng, ((1, 1), (3, 3), (5, 5), (1, 5), (4, 1), None)),
    )


def add_depthwise_of_any_size(made: Layers, rng: Rng) -> None:
    add_depthwise(made, rng, usual=pick(rng, ((3, 3), (3, 3), (5, 5), (1, 5), None)))


def add_sum(made: Layers, rng: Rng) -> None:
    """Two images of one shape at scales as trained models have them; now and then anything."""
    if rng.random() < 0.4:
        add_add(made, rng)
        return
    shape = (1, int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.integers(1, 20)))
    scale = layers.scale(rng)
    x1, x2 = (
        made.input(shape, scale=float(np.float32(by)), zero_point=layers.zero_point(rng))
        for by in (scale, scale * rng.uniform(0.2, 1))
    )
    y = made.output(
        shape,
        scale=float(np.float32(scale * rng.uniform(0.5, 2))),
        zero_point=layers.zero_point(rng),
        name=f"sum of {shape}",
    )
    activation = pick(rng, layers.ACTIVATIONS)
    made.maker.node("ADD", [x1, x2], [y], fused_activation_function=activation)


def add_pool(made: Layers, rng: Rng) -> None:
    layers.add_pool(made, rng, pick(rng, ("AVERAGE_POOL_2D", "MAX_POOL_2D")))


FAMILIES = (
    add_convolution,
    add_convolution,
    add_fully_connected,
    add_depthwise_of_any_size,
    add_sum,
    add_pool,
)


def add_layer(made: Layers, rng: Rng) -> None:
    pick(rng, FAMILIES)(made, rng)


def test_random_layers(tmp_path: Path) -> None:
    kernels = assert_random_layers_equal_on(BOARD, tmp_path / "p", add_layer, seed=11, count=60)
    for kernel in KERNELS:
        assert kernels[kernel] > 0, f"no layer of the sample was for {kernel}"


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(200, 210))
def test_many_random_layers(tmp_path: Path, seed: int) -> None:
    assert_random_layers_equal_on(BOARD, tmp_path / "p", add_layer, seed=seed, count=40)
