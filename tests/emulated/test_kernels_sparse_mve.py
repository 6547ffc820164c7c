"""Sparse kernels for Helium on an emulated Cortex-M55: the dense kernels' bytes in fewer instructions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.emulated.test_kernels_sparse import only
from tests.ops.test_conv_2d import add_conv
from tests.support import layers
from tests.support.device import Layer, assert_random_layers_equal_on, on_device
from tests.support.layers import Layers, Rng, pick
from tests.support.pruned import add_layer, pruned

BOARD = "mps3-an547"
FULLY_CONNECTED, CONV_1X1, CONV = KERNELS = (
    "fully_connected_s8_sparse_mve",
    "conv_1x1_s8_sparse_mve",
    "conv_2d_s8_sparse_mve",
)
# Image, weights, blocks of zeros.
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, int]]] = {
    "fully connected": ((640,), (128, 640), (4, 16)),
    "small fully connected": ((128,), (64, 128), (4, 16)),
    "pointwise 64": ((8, 8, 64), (64, 1, 1, 64), (2, 16)),
    "pointwise 256": ((3, 3, 256), (256, 1, 1, 256), (2, 16)),
    "3x3": ((8, 8, 32), (32, 3, 3, 32), (2, 16)),
    "narrow 3x3": ((6, 6, 64), (64, 3, 3, 64), (2, 16)),
}
# How many times fewer instructions than the dense kernel takes, in which share of its weights' bytes.
GAINS = {
    "fully connected": {0.5: (1.8, 0.55), 0.75: (3.2, 0.30), 0.9: (5.5, 0.15)},
    "small fully connected": {0.5: (1.8, 0.55), 0.75: (2.5, 0.30), 0.9: (3.0, 0.20)},
    "pointwise 64": {0.5: (1.5, 0.60), 0.75: (2.2, 0.30), 0.9: (3.4, 0.15)},
    "pointwise 256": {0.5: (1.4, 0.60), 0.75: (2.4, 0.30), 0.9: (4.0, 0.15)},
    "3x3": {0.5: (1.45, 0.60), 0.75: (2.4, 0.30), 0.9: (3.9, 0.15)},
    "narrow 3x3": {0.5: (1.25, 0.60), 0.75: (2.2, 0.30), 0.9: (4.2, 0.15)},
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Layer]]:
    """Layers of each sparsity, the dense one first."""
    rng = np.random.default_rng(1)
    made = Layers()
    sparsities = (0.0, 0.5, 0.75, 0.9)
    for image, shape, block in SHAPES.values():
        for sparsity in sparsities:
            add_layer(made, rng, image, pruned(rng, shape, block, sparsity))
    found = on_device(tmp_path_factory.mktemp("sparse") / "p", made.graph(), BOARD)
    return {name: found[4 * i : 4 * i + 4] for i, name in enumerate(SHAPES)}


@pytest.mark.parametrize("name", SHAPES)
def test_zeros_pay(measured: dict[str, list[Layer]], name: str) -> None:
    dense, *others = measured[name]
    for layer, (faster, share) in zip(others, GAINS[name].values(), strict=True):
        assert layer.call.step.kernel in KERNELS
        assert dense.call.step.kernel == layer.call.step.kernel.replace("_sparse", "")
        assert dense.instructions >= faster * layer.instructions
        assert layer.weights_bytes <= share * dense.weights_bytes


@pytest.mark.parametrize("name", SHAPES)
def test_estimates_are_close(measured: dict[str, list[Layer]], name: str) -> None:
    for layer in measured[name]:
        assert layer.call.instructions == pytest.approx(layer.instructions, rel=0.1)


def add_fully_connected(made: Layers, rng: Rng) -> None:
    """A dense layer of any size, without blocks, weights or channels, or without any."""
    inputs = int(pick(rng, (1, 15, 16, 17, 97, 128, 640, 3000)))
    shape = (int(pick(rng, (1, 2, 3, 4, 5, 8, 13, 24))), inputs)
    block = pick(rng, ((4, 16), (4, 16), (4, 16), (1, 16), (4, 4), (1, 1), (1, 2000)))
    weights = pruned(rng, shape, block, float(pick(rng, (0.2, 0.4, 0.6, 0.8, 0.9, 0.98, 1.0))))
    # Sums as large as they get, and as they mostly are.
    weights = np.abs(weights) if rng.random() < 0.3 else weights
    add_layer(
        made,
        rng,
        (inputs,),
        weights,
        zero_point=layers.zero_point(rng),
        activation=pick(rng, layers.ACTIVATIONS),
    )


def add_convolution(made: Layers, rng: Rng) -> None:
    """Of any shape, without blocks, weights or channels, or without any; scales as usual, or anything."""
    block = pick(rng, ((2, 16), (2, 16), (2, 16), (8, 16), (2, 4), (1, 1), (1, 2000)))
    zeros = (block, float(pick(rng, (0.2, 0.4, 0.6, 0.8, 0.9, 0.98, 1.0))))
    taps = pick(rng, ((1, 1), (1, 1), (3, 3), (1, 5), (4, 1)))
    in_ch = int(pick(rng, (1, 3, 8, 15, 16, 17, 24, 33, 64, 150)))
    out_ch = int(pick(rng, (1, 2, 3, 7, 8, 9, 16, 21, 40)))
    if rng.random() < 0.4:
        usual = None if rng.random() < 0.2 else taps
        batches = int(pick(rng, (1, 2)))
        add_conv(made, rng, in_ch=in_ch, out_ch=out_ch, batches=batches, usual=usual, zeros=zeros)
        return
    weights = pruned(rng, (out_ch, *taps, in_ch), *zeros)
    add_layer(
        made,
        rng,
        (int(rng.integers(1, 6)), int(rng.integers(1, 14)), in_ch),
        np.abs(weights) if rng.random() < 0.3 else weights,
        zero_point=layers.zero_point(rng),
        stride=int(pick(rng, (1, 1, 2))),
        activation=pick(rng, layers.ACTIVATIONS),
    )


FAMILIES = (add_fully_connected, add_fully_connected, add_convolution, add_convolution, add_convolution)


def add_sparse(made: Layers, rng: Rng) -> None:
    pick(rng, FAMILIES)(made, rng)


@pytest.mark.thorough
def test_random_layers(tmp_path: Path) -> None:
    """By the sparse kernels, whether they pay or not."""
    with only(KERNELS):
        found = assert_random_layers_equal_on(BOARD, tmp_path / "p", add_sparse, seed=5, count=100)
    for kernel in KERNELS:
        assert found[kernel] > 10, f"too few layers of the sample were for {kernel}"


def test_pairs_far_apart(tmp_path: Path) -> None:
    """Further than a block can say: the first pair that has any, and the next one, which is the last."""
    weights = np.zeros((1400, 1, 1, 20), np.int8)
    weights[7], weights[1399] = 5, -9
    made = Layers()
    add_layer(made, np.random.default_rng(0), (1, 5, 20), weights)
    with only(KERNELS):
        (layer,) = on_device(tmp_path / "p", made.graph(), BOARD)
    assert layer.call.step.kernel == CONV_1X1


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 106))
def test_many_random_layers(tmp_path: Path, seed: int) -> None:
    with only(KERNELS):
        assert_random_layers_equal_on(BOARD, tmp_path / "p", add_sparse, seed=seed, count=100)
