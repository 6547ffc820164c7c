"""Compression by zeros: where they are, that they stay, and that int8 has them too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, board, data, load, passes, target
from microwright.compress import compress_model, fine_tune, masks
from microwright.coverage import Caution
from microwright.errors import InputError
from microwright.graph import Graph
from microwright.plan import plan
from microwright.quantize import quantize
from tests.support.keras_models import accuracy, cnn, images, trained_cnn

keras = _tensorflow.keras()
L = keras.layers
M0, M4, M55 = (board.load(each) for each in ("mps2-an385-m0plus", "mps2-an386", "mps3-an547"))
_DATA = Path(__file__).parent / "data"


def int8_weights(graph: Graph) -> dict[tuple[int, ...], np.ndarray]:
    """Weights of convolutions and fully connected layers, [output, ...], by shape."""
    nodes = [node for node in graph.nodes if node.op in ("CONV_2D", "FULLY_CONNECTED")]
    tensors = [graph.tensors[node.inputs[1]] for node in nodes]
    return {tensor.shape: np.asarray(tensor.data) for tensor in tensors}


def blocks_of(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Whether each block of output channels and inputs is all zero; a row of a window is a run of inputs."""
    runs = weights.shape[1] if weights.ndim == 4 else 1
    matrix = weights.reshape(weights.shape[0], runs, -1)
    matrix = np.pad(matrix, ((0, -matrix.shape[0] % height), (0, 0), (0, -matrix.shape[2] % width)))
    grid = matrix.reshape(matrix.shape[0] // height, height, runs, -1, width)
    return (grid == 0).all(axis=(1, 4))


@pytest.mark.parametrize(("core", "conv", "dense"), [(M4, (2, 4), (4, 4)), (M55, (2, 16), (4, 16))])
def test_blocks_stay_zero_through_training_and_int8(core: Any, conv: Any, dense: Any) -> None:
    result = compress_model(
        trained_cnn(), images(), method="block", sparsity=0.7, board=core, rounds=2, epochs=4
    )
    assert masks.sparsity(result.model) == pytest.approx(0.7, abs=0.03)
    weights = int8_weights(quantize(load.from_keras(result.model, "net"), images()))
    for shape, block in (((16, 3, 3, 8), conv), ((16, 64), dense)):
        zero = blocks_of(weights[shape], *block)
        assert 0.4 < zero.mean() < 0.95
        # All that is zero in the Keras model lies in such blocks.
        scattered = (weights[shape] == 0).mean() - zero.mean()
        assert scattered < 0.03
    keras_zeros = {
        layer.name: np.asarray(layer.kernel) == 0 for layer, _ in masks._layers(result.model, masks._ANYWHERE)
    }
    np.testing.assert_array_equal(weights[16, 64].T[keras_zeros["dense"]], 0)
    np.testing.assert_array_equal(np.moveaxis(weights[16, 3, 3, 8], 0, -1)[keras_zeros["conv2"]], 0)


def test_unstructured_zeros_stay_and_hardly_cost_accuracy() -> None:
    result = compress_model(
        trained_cnn(), images(), method="unstructured", sparsity=0.8, board=M4, rounds=3, epochs=6
    )
    levels = [step.cost.weights / result.steps[0].cost.weights for step in result.steps]
    assert levels == sorted(levels, reverse=True)
    assert levels[1] == pytest.approx(1 - 0.8 * 19 / 27, abs=0.02), "most of it early: a cubic schedule"
    assert masks.sparsity(result.model) == pytest.approx(0.8, abs=0.01)
    assert accuracy(result.model, images(200, seed=5)) > 0.93
    weights = int8_weights(quantize(load.from_keras(result.model, "net"), images()))
    zeros = np.asarray(result.model.get_layer("dense").kernel) == 0
    np.testing.assert_array_equal(weights[16, 64].T[zeros], 0)


def test_a_latency_is_reached_by_blocks_that_kernels_skip() -> None:
    model = keras.models.clone_model(cnn(32))
    result = compress_model(model, images(), method="block", target_latency=0.6, board=M4, rounds=1, epochs=1)
    before, after = result.steps[0].cost, result.steps[-1].cost
    assert 0.5 < after.instructions / before.instructions <= 0.6
    with pytest.raises(InputError, match="still is too large for cortex-m4"):
        compress_model(model, images(), method="block", target_latency=0.01, board=M4, epochs=1)


def test_helium_kernels_skip_the_blocks_that_convolutions_lose() -> None:
    layers = [L.Conv2D(64, 1, activation="relu"), L.Conv2D(32, 3, padding="same"), L.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((8, 8, 64)), *layers, L.Dense(4)])
    rng = np.random.default_rng(0)
    samples = data.make((rng.normal(size=(20, 8, 8, 64)).astype(np.float32),), rng.integers(4, size=20))
    pruned = masks.prune(model, 0.75, "block", target.of(M55))
    before, after = (
        plan(passes.run(quantize(load.from_keras(m, "net"), samples)), target.of(M55)).calls[:2]
        for m in (model, pruned)
    )
    assert [call.step.kernel for call in before] == ["conv_1x1_s8_mve", "conv_2d_s8_mve"]
    assert [call.step.kernel for call in after] == ["conv_1x1_s8_sparse_mve", "conv_2d_s8_sparse_mve"]
    for dense, sparse in zip(before, after, strict=True):
        assert sparse.instructions < dense.instructions / 1.7
        assert sparse.step.constant_bytes < 0.45 * dense.step.constant_bytes


def test_no_layer_loses_nearly_all_and_small_ones_nothing() -> None:
    model = cnn(32)
    model.get_layer("dense").kernel.assign(np.asarray(model.get_layer("dense").kernel) ** 9)
    pruned = masks.prune(model, 0.6, "unstructured", target.of(M4))
    left = {
        layer.name: (np.asarray(layer.kernel) != 0).mean()
        for layer, _ in masks._layers(pruned, masks._ANYWHERE)
    }
    assert left["dense"] == pytest.approx(0.2, abs=0.01), "half of what stays of the model"
    assert left["conv1"] == left["classes"] == 1
    assert masks.sparsity(pruned) == pytest.approx(0.6, abs=0.01)


def test_least_important_blocks_go() -> None:
    model = keras.Sequential([keras.Input((16,)), L.Dense(16, name="first"), L.Dense(64)])
    rng = np.random.default_rng(0)
    values = rng.uniform(1, 2, (16, 16)) * rng.choice((-1, 1), (16, 16))
    values[4:8, 8:12] *= 1e-3
    values[0:4, 0:4] *= 1e-2
    model.get_layer("first").kernel.assign(values)
    pruned = masks.prune(model, 2 * 16 / (256 + 1024), "block", target.of(M4))
    zero = np.asarray(pruned.get_layer("first").kernel) == 0
    expected = np.zeros((16, 16), bool)
    expected[4:8, 8:12] = expected[0:4, 0:4] = True
    np.testing.assert_array_equal(zero, expected)


def test_what_has_no_sparse_kernel_stays_dense_and_is_told() -> None:
    cautions: list[Caution] = []
    result = compress_model(
        trained_cnn(),
        images(),
        method="block",
        sparsity=0.6,
        board=M0,
        rounds=1,
        epochs=1,
        on_caution=cautions.append,
    )
    assert result.dense == ("conv1", "conv2")
    assert [each.name for each in cautions] == ["stays-dense"]
    assert cautions[0].message.startswith("conv1, conv2: no kernel for blocks of zeros of a convolution")
    zeros = {layer.name: 0.0 for layer in result.model.layers if hasattr(layer, "kernel")}
    for name in zeros:
        zeros[name] = float((np.asarray(result.model.get_layer(name).kernel) == 0).mean())
    assert zeros["conv1"] == zeros["conv2"] == 0
    # Of the layers that have kernels, it is as many as were asked for.
    assert zeros["dense"] == pytest.approx(0.6, abs=0.05)
    assert masks.sparsity(result.model, "block", target.of(M0)) == pytest.approx(0.6, abs=0.05)
    alone = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(4, 3, name="conv"), L.Flatten()])
    with pytest.raises(InputError, match="conv: there are no kernels for blocks of zeros of a convolution"):
        masks.prune(alone, 0.5, "block", target.of(M0))


def test_zeros_are_held_only_when_asked_for() -> None:
    pruned = masks.prune(trained_cnn(), 0.5, "unstructured", target.of(M4))
    zeros = np.asarray(pruned.get_layer("conv2").kernel) == 0
    held = fine_tune(pruned, images(), epochs=1, keep_zeros=True).get_layer("conv2")
    free = fine_tune(pruned, images(), epochs=1).get_layer("conv2")
    assert (np.asarray(held.kernel)[zeros] == 0).all()
    assert (np.asarray(free.kernel)[zeros] != 0).any()
    assert held.kernel.constraint is None


def test_models_that_tensorflow_model_optimization_pruned() -> None:
    """A file of PruneLowMagnitude's, version 0.8.1, as a training step leaves it: some weights that are
    pruned are not zero in it, but in the mask beside them.
    """
    known = np.load(_DATA / "pruned_with_tfmot.npz")
    model = load.load(_DATA / "pruned_with_tfmot.h5").keras
    assert [layer.name for layer in model.layers[1:]] == ["first", "depthwise", "bn", "add", "flat", "last"]
    np.testing.assert_allclose(model([known["x"]]), known["outputs"], atol=1e-6)
    for name in ("first", "last"):
        assert (np.asarray(model.get_layer(name).kernel) == 0).mean() == 0.75
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 6, 6, 1)).astype(np.float32)
    samples = data.make((x,), rng.integers(3, size=60))
    tuned = fine_tune(model, samples, epochs=1, keep_zeros=True)
    weights = int8_weights(quantize(load.from_keras(tuned, "net"), samples))
    for shape in ((8, 3, 3, 1), (3, 288)):
        assert (weights[shape] == 0).mean() >= 0.75
