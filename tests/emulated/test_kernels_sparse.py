"""Sparse kernels on emulated cores: the dense kernels' bytes in fewer instructions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from microwright import kernels
from microwright.plan import Call
from tests.support import layers
from tests.support.device import Layer, assert_random_layers_equal_on, on_device
from tests.support.layers import Layers, Rng, pick
from tests.support.pruned import add_layer, pruned

CORES = ("mps2-an386", "mps2-an500", "mps2-an505")
BOARD = CORES[0]
BLOCKS = ("conv_1x1_s8_sparse_dsp", "conv_2d_s8_sparse_dsp", "fully_connected_s8_sparse_dsp")
DENSE = tuple(kernel.replace("_sparse", "") for kernel in BLOCKS)
SCATTERED = tuple(kernel.replace("sparse", "scattered") for kernel in BLOCKS)
PORTABLE, PORTABLE_CORES = "fully_connected_s8_sparse_portable", ("mps2-an385", "mps2-an385-m0plus")
SPARSITIES = (0.0, 0.5, 0.75, 0.9)

# Image, weights, blocks of zeros.
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, int]]] = {
    "pointwise 64": ((12, 12, 64), (64, 1, 1, 64), (2, 4)),
    "pointwise 128": ((6, 6, 128), (128, 1, 1, 128), (2, 4)),
    "3x3": ((8, 8, 32), (32, 3, 3, 32), (2, 4)),
    "fully connected": ((640,), (128, 640), (4, 4)),
    "small fully connected": ((128,), (64, 128), (4, 4)),
    "scattered": ((12, 12, 64), (64, 1, 1, 64), (1, 1)),
    "scattered 128": ((6, 6, 128), (128, 1, 1, 128), (1, 1)),
    "scattered 3x3": ((8, 8, 32), (32, 3, 3, 32), (1, 1)),
    "scattered, fully connected": ((640,), (128, 640), (1, 1)),
}
# How many times fewer instructions than the dense kernel takes, in which share of its weights' bytes.
GAINS = {
    "pointwise 64": {0.5: (1.4, 0.6), 0.75: (2.2, 0.35), 0.9: (3.4, 0.2)},
    "pointwise 128": {0.5: (1.5, 0.6), 0.75: (2.2, 0.35), 0.9: (3.4, 0.2)},
    "3x3": {0.5: (1.4, 0.6), 0.75: (2.2, 0.35), 0.9: (3.4, 0.2)},
    "fully connected": {0.5: (1.7, 0.6), 0.75: (3.2, 0.30), 0.9: (6.6, 0.2)},
    "small fully connected": {0.5: (1.8, 0.6), 0.75: (2.8, 0.30), 0.9: (3.4, 0.2)},
    "scattered": {0.75: (1.45, 0.65), 0.9: (2.35, 0.35)},
    "scattered 128": {0.75: (1.6, 0.65), 0.9: (2.8, 0.35)},
    "scattered 3x3": {0.75: (1.35, 0.65), 0.9: (2.4, 0.35)},
    "scattered, fully connected": {0.9: (2.0, 0.25)},
}


@contextmanager
def only(names: Collection[str]) -> Iterator[None]:
    """No faster kernels than these."""
    some = {plain: tuple(k for k in every if k.name in names) for plain, every in kernels.KERNELS.items()}
    with mock.patch.object(kernels, "KERNELS", some):
        yield


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Layer]]:
    """Layers of each sparsity, by name."""
    rng = np.random.default_rng(1)
    made = Layers()
    for image, shape, block in SHAPES.values():
        for sparsity in SPARSITIES:
            add_layer(made, rng, image, pruned(rng, shape, block, sparsity))
    found = on_device(tmp_path_factory.mktemp("sparse") / "p", made.graph(), BOARD)
    return {name: found[i * len(SPARSITIES) :][: len(SPARSITIES)] for i, name in enumerate(SHAPES)}


@pytest.mark.parametrize("name", SHAPES)
def test_zeros_pay(measured: dict[str, list[Layer]], name: str) -> None:
    dense, *others = measured[name]
    assert dense.call.step.kernel not in BLOCKS + SCATTERED
    for sparsity, layer in zip(SPARSITIES[1:], others, strict=True):
        if sparsity in GAINS[name]:
            faster, share = GAINS[name][sparsity]
            assert layer.call.step.kernel in (SCATTERED if "scattered" in name else BLOCKS)
            assert dense.instructions >= faster * layer.instructions
            assert layer.weights_bytes <= share * dense.weights_bytes
        else:
            assert layer.call.step.kernel == dense.call.step.kernel
            # How a layer is called may differ by an instruction.
            assert abs(layer.instructions - dense.instructions) <= 1


@pytest.mark.parametrize("name", SHAPES)
def test_estimates_are_close(measured: dict[str, list[Layer]], name: str) -> None:
    for layer in measured[name]:
        assert layer.call.instructions == pytest.approx(layer.instructions, rel=0.1)


@pytest.mark.parametrize("board_id", PORTABLE_CORES)
def test_zeros_of_dense_layers_pay_on_any_core(tmp_path: Path, board_id: str) -> None:
    rng = np.random.default_rng(1)
    made = Layers()
    for sparsity in SPARSITIES:
        add_layer(made, rng, (128,), pruned(rng, (64, 128), (4, 4), sparsity))
    dense, *others = on_device(tmp_path / "p", made.graph(), board_id)
    assert dense.call.step.kernel == "fully_connected_s8_portable"
    for layer, (faster, share) in zip(others, ((1.15, 0.55), (2.0, 0.3), (3.6, 0.15)), strict=True):
        assert layer.call.step.kernel == PORTABLE
        assert dense.instructions >= faster * layer.instructions
        assert layer.weights_bytes <= share * dense.weights_bytes


@pytest.mark.thorough
def test_the_faster_kernel_is_chosen_on_both_sides_of_the_break_even(tmp_path: Path) -> None:
    """Sparse or dense, whatever the share of zeros, what is chosen takes hardly longer than what is best."""
    rng = np.random.default_rng(2)
    made = Layers()
    for image, shape, block in SHAPES.values():
        for sparsity in (0.05, 0.15, 0.25, 0.4, 0.55, 0.65, 0.7, 0.8, 0.85):
            add_layer(made, rng, image, pruned(rng, shape, block, sparsity))
    model = made.graph()
    chosen = on_device(tmp_path / "chosen", model, BOARD)
    for names in (DENSE, BLOCKS, SCATTERED):
        with only(names):
            others = on_device(tmp_path / names[0], model, BOARD)
        for layer, other in zip(chosen, others, strict=True):
            assert layer.instructions <= 1.06 * other.instructions, (layer.call, other.call)


def test_sums_of_a_pair_are_taken_apart_before_they_overflow(tmp_path: Path) -> None:
    """Four channels in several runs, which begin with all kinds of rounds; of the last fewer than four."""
    rng = np.random.default_rng(3)
    made = Layers()
    for sparsity in (0.1, 0.3, 0.5):
        weights = pruned(rng, (10, 4000), (4, 4), sparsity)
        add_layer(made, rng, (4000,), np.asarray(weights | 64, np.int8) * (weights != 0), zero_point=0)
    with only(BLOCKS):
        found = on_device(tmp_path / "p", made.graph(), BOARD)
    runs = [run for layer in found for run in runs_of(layer.call)]
    assert len([run for run in runs if run >= 3 << 30]) > 3
    assert {run & 255 for run in runs} == {0, 60, 120, 180}


def runs_of(call: Call) -> Iterator[int]:
    """The first words of the runs of a fully connected layer's first fours of channels."""
    words = call.step.values("weights")
    assert words is not None
    at = 0
    while run := int(words[at].item()) & ~(1 << 31):
        yield int(words[at].item())
        at += (run & 0x3FFFFFFF) >> 10


def add_sparse(made: Layers, rng: Rng) -> None:
    """A convolution or dense layer of any shape, without blocks, weights or channels, or without any."""
    dense = rng.random() < 0.5
    taps = pick(rng, ((1, 1), (1, 1), (3, 3), (1, 4)))
    in_ch, out_ch = int(pick(rng, (1, 3, 4, 7, 8, 17, 33, 64))), int(pick(rng, (1, 3, 8, 13, 24)))
    image: tuple[int, ...] = (int(rng.integers(1, 6)), int(rng.integers(1, 14)), in_ch)
    shape: tuple[int, ...] = (out_ch, *taps, in_ch)
    if dense:
        image = (int(pick(rng, (1, 16, 97, 128, 640, 3000))),)
        shape = (out_ch, *image)
    block = pick(rng, ((4, 4), (4, 4), (2, 4), (1, 1), (1, 1), (1, 2000)))
    weights = pruned(rng, shape, block, float(pick(rng, (0.4, 0.6, 0.8, 0.9, 0.98, 1.0))))
    # Sums as large as they get, and as they mostly are.
    weights = np.abs(weights) if rng.random() < 0.3 else weights
    add_layer(
        made,
        rng,
        image,
        weights,
        zero_point=layers.zero_point(rng),
        stride=int(pick(rng, (1, 1, 2))),
        activation=pick(rng, layers.ACTIVATIONS),
    )


@pytest.mark.parametrize("names", [BLOCKS, SCATTERED], ids=["blocks", "scattered"])
def test_random_layers(tmp_path: Path, names: tuple[str, ...]) -> None:
    """By one kind of kernels, whether they pay or not."""
    with only(names):
        found = assert_random_layers_equal_on(BOARD, tmp_path / "p", add_sparse, seed=5, count=70)
    for kernel in names:
        assert found[kernel] > 10, f"too few layers of the sample were for {kernel}"


@pytest.mark.parametrize("board_id", PORTABLE_CORES)
def test_random_layers_on_any_core(tmp_path: Path, board_id: str) -> None:
    with only((PORTABLE,)):
        found = assert_random_layers_equal_on(board_id, tmp_path / "p", add_sparse, seed=8, count=30)
    assert found[PORTABLE] > 5


@pytest.mark.thorough
@pytest.mark.parametrize("board_id", CORES)
@pytest.mark.parametrize("names", [BLOCKS, SCATTERED], ids=["blocks", "scattered"])
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_random_layers(tmp_path: Path, board_id: str, names: tuple[str, ...], seed: int) -> None:
    with only(names):
        assert_random_layers_equal_on(board_id, tmp_path / "p", add_sparse, seed=seed, count=80)
