"""Sparse kernels for Helium on an emulated Cortex-M55: the dense kernels' bytes in fewer instructions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.emulated.test_kernels_sparse import Layer, on_device, only
from tests.support import layers
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick
from tests.support.pruned import add_layer, pruned

BOARD = "mps3-an547"
KERNEL = "fully_connected_s8_sparse_mve"
# How many times fewer instructions than the dense kernel takes, in which share of its weights' bytes.
GAINS = {
    (640, 128): {0.5: (1.8, 0.55), 0.75: (3.2, 0.30), 0.9: (5.5, 0.15)},
    (128, 64): {0.5: (1.8, 0.55), 0.75: (2.5, 0.30), 0.9: (3.0, 0.20)},
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], list[Layer]]:
    """Layers of each sparsity, the dense one first."""
    rng = np.random.default_rng(1)
    made = Layers()
    sparsities = (0.0, 0.5, 0.75, 0.9)
    for inputs, outputs in GAINS:
        for sparsity in sparsities:
            add_layer(made, rng, (inputs,), pruned(rng, (outputs, inputs), (4, 16), sparsity))
    found = on_device(tmp_path_factory.mktemp("sparse") / "p", made.graph(), BOARD)
    return {shape: found[4 * i : 4 * i + 4] for i, shape in enumerate(GAINS)}


@pytest.mark.parametrize("shape", GAINS, ids=str)
def test_zeros_pay(measured: dict[tuple[int, int], list[Layer]], shape: tuple[int, int]) -> None:
    dense, *others = measured[shape]
    assert dense.call.step.kernel == "fully_connected_s8_mve"
    for layer, (faster, share) in zip(others, GAINS[shape].values(), strict=True):
        assert layer.call.step.kernel == KERNEL
        assert dense.instructions >= faster * layer.instructions
        assert layer.weights_bytes <= share * dense.weights_bytes


@pytest.mark.parametrize("shape", GAINS, ids=str)
def test_estimates_are_close(measured: dict[tuple[int, int], list[Layer]], shape: tuple[int, int]) -> None:
    for layer in measured[shape]:
        assert layer.call.instructions == pytest.approx(layer.instructions, rel=0.1)


def add_sparse(made: Layers, rng: Rng) -> None:
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


def test_random_layers(tmp_path: Path) -> None:
    """By the sparse kernel, whether it pays or not."""
    with only([KERNEL]):
        found = assert_random_layers_equal_on(BOARD, tmp_path / "p", add_sparse, seed=5, count=70)
    assert found[KERNEL] > 30


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_random_layers(tmp_path: Path, seed: int) -> None:
    with only([KERNEL]):
        assert_random_layers_equal_on(BOARD, tmp_path / "p", add_sparse, seed=seed, count=80)
