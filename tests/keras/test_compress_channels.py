"""Compression by channels: what goes is what costs most on the board and matters least."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microwright
from microwright import _tensorflow, board, data, load, passes, target
from microwright.compress import channels, compress_model, cost
from microwright.compress.channels import prune_to
from microwright.compress.follow import follow
from microwright.errors import InputError
from microwright.plan import plan
from microwright.quantize import quantize
from tests.support.keras_models import accuracy, cnn, images, same_weights, trained_cnn

keras = _tensorflow.keras()
L = keras.layers
M4 = board.load("mps2-an386")


def test_less_than_half_of_the_latency_at_the_same_accuracy() -> None:
    result = microwright.compress_model(
        trained_cnn(), images(), target_latency=0.4, board=M4, rounds=2, epochs=6, learning_rate=3e-3
    )
    before, after = result.steps[0], result.steps[-1]
    assert [step.what for step in result.steps] == ["as given", "prune 1/2", "prune 2/2"]
    assert after.cost.instructions <= 0.4 * before.cost.instructions
    assert after.cost == cost.total(result.model, target.of(M4))
    assert after.parameters == result.model.count_params() < before.parameters
    unseen = images(200, seed=5)
    assert accuracy(result.model, unseen) > accuracy(trained_cnn(), unseen) - 0.03


@pytest.mark.parametrize("board_id", ["mps2-an386", "mps3-an547", "mps2-an385"])
def test_the_cost_is_what_the_compiler_says_of_the_int8_model(board_id: str) -> None:
    """Of a network with every kind of layer that has an estimate, but softmax, means and tables."""
    entry = keras.Input((12, 12, 4))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(entry)))
    y = L.SeparableConv2D(16, 3, padding="same", activation="relu")(x)
    x = L.MaxPooling2D()(L.Add()([x, y]))
    x = L.ReLU()(L.DepthwiseConv2D(3, padding="same")(x))
    x = L.AveragePooling2D(3)(L.Conv2D(24, 1, activation="relu")(x))
    model = keras.Model(entry, L.Dense(5)(L.Flatten()(x)))
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(w) + rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
    samples = data.make((rng.normal(size=(20, 12, 12, 4)).astype(np.float32),))
    core = target.of(board.load(board_id))
    planned = plan(passes.run(quantize(load.from_keras(model, "net"), samples)), core)
    estimate = cost.total(model, core)
    assert estimate.instructions == pytest.approx(sum(call.instructions for call in planned.calls), rel=0.1)
    assert estimate.flash_bytes == pytest.approx(planned.constant_bytes, rel=0.1)


def test_what_costs_more_for_the_same_importance_goes_first() -> None:
    """Two layers whose channels matter as much: one costs more latency and MACs, the other more bytes."""
    image, vector = keras.Input((16, 16, 8)), keras.Input((512,))
    x = L.GlobalAveragePooling2D()(L.Conv2D(32, 1, activation="relu", name="image")(image))
    y = L.Dense(32, activation="relu", name="vector")(vector)
    model = keras.Model([image, vector], L.Dense(4, activation="softmax")(L.Concatenate()([x, y])))
    rng = np.random.default_rng(0)
    inputs = tuple(rng.normal(size=(40, *shape)).astype(np.float32) for shape in ((16, 16, 8), (512,)))
    samples = data.make(inputs, rng.integers(4, size=40))
    left = {}
    for rank_by in ("latency", "macs", "bytes"):
        result = compress_model(
            model, samples, sparsity=0.3, board=M4, rank_by=rank_by, importance="l2", rounds=1, epochs=1
        )
        left[rank_by] = channels(result.model)
    for rank_by in ("latency", "macs"):
        assert left[rank_by]["image"] < left[rank_by]["vector"]
    assert left["bytes"]["image"] > left["bytes"]["vector"]


def test_multiply_accumulates_come_down_to_the_target() -> None:
    result = compress_model(trained_cnn(), images(), target_macs=0.2, rank_by="macs", rounds=1, epochs=1)
    before, after = (step.cost.macs for step in (result.steps[0], result.steps[-1]))
    assert 0.15 * before < after <= 0.2 * before


def test_taylor_sees_what_norms_do_not() -> None:
    """Channels with large filters whose readers do not use them: the outputs stay without them."""
    model = keras.models.clone_model(trained_cnn())
    model.set_weights(trained_cnn().get_weights())
    useless = np.arange(0, 16, 2)
    kernel, bias = model.get_layer("dense").get_weights()
    kernel[:, useless] = 5.0
    model.get_layer("dense").set_weights([kernel, bias])
    kernel, bias = model.get_layer("classes").get_weights()
    kernel[useless] = 0
    model.get_layer("classes").set_weights([kernel, bias])
    before = model(images().inputs[0])
    difference = {}
    for importance in ("l2", "taylor"):
        pruned = compress_model(
            model,
            images(),
            sparsity=0.15,
            rank_by="bytes",
            importance=importance,
            rounds=1,
            epochs=1,
            learning_rate=1e-12,
            minimum=8,
        ).model
        assert pruned.get_layer("dense").units < 16
        difference[importance] = float(np.abs(pruned(images().inputs[0]) - before).max())
    assert difference["taylor"] < 1e-4
    assert difference["l2"] > 0.1


def test_it_goes_on_until_the_model_fits(tmp_path: Path) -> None:
    text = M4.text.replace("bytes = 4_194_304", "bytes = 21_000", 1)
    assert text != M4.text
    (tmp_path / "tiny.toml").write_text(text)
    tiny = board.load(str(tmp_path / "tiny.toml"))
    model = keras.models.clone_model(cnn(24))
    result = compress_model(model, images(), fit=tiny, rounds=1, epochs=1)
    graph = quantize(load.from_keras(result.model, "net"), images())
    planned = plan(passes.run(graph), target.of(tiny))
    assert planned.constant_bytes < 12_000
    assert result.steps[-1].cost.flash_bytes > 3_000, "not more than it takes"


def test_the_same_seed_gives_the_same_model() -> None:
    one, same, other = (
        compress_model(trained_cnn(), images(), sparsity=0.4, board=M4, rounds=1, epochs=1, seed=seed)
        for seed in (3, 3, 4)
    )
    assert same_weights(one.model, same.model)
    assert one.steps == same.steps
    assert one.steps != other.steps


def test_datasets_optimizers_losses_and_callbacks_of_ones_own() -> None:
    tf = _tensorflow.tensorflow()
    samples, seen = images(), []
    dataset = tf.data.Dataset.from_tensor_slices((samples.inputs[0], samples.labels)).batch(40)
    flipped = dataset.map(lambda x, y: (x + tf.random.normal(tf.shape(x), stddev=0.1), y))
    result = compress_model(
        trained_cnn(),
        flipped,
        validation=dataset,
        sparsity=0.5,
        board=M4,
        rounds=2,
        epochs=4,
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))],
    )
    assert seen == [0, 1, 0, 1, 2, 3], "two epochs after the first step, four after the last"
    assert result.steps[-1].accuracy is not None
    assert result.steps[-1].accuracy > 0.9


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sparsity": 0.5, "target_latency": 0.5}, "method channel with sparsity 0.5, target latency 0.5"),
        ({}, "method channel with sparsity None"),
        ({"method": None}, "there is nothing to do"),
        ({"sparsity": 1.0}, "sparsity 1 is not between"),
        ({"target_latency": 0.0}, "target latency 0 is not between"),
        ({"target_macs": 1.0}, "target MACs 1 is not between"),
        ({"target_macs": 0.5, "method": "block"}, "leaves the number of multiply-accumulates"),
        ({"sparsity": 0.5, "rounds": 0}, "0 rounds"),
        ({"sparsity": 0.999}, "with 2 channels left in each layer"),
        ({"sparsity": 0.999, "method": "unstructured"}, "of the weights can become zero, not 99.9%"),
        ({"sparsity": 0.5, "validation": data.make(images().inputs)}, "labels in only one"),
        ({"sparsity": 0.5, "teacher": "model.keras"}, "the teacher is a str, no Keras 3 model"),
        ({"sparsity": 0.5, "learning_rate": 1e30}, "the loss is not finite after epoch 1"),
        ({"sparsity": 0.5, "optimizer": "adam"}, "no Keras optimizer"),
        ({"sparsity": 0.5, "loss": "no_such"}, "there is no loss 'no_such'"),
        ({"sparsity": 0.5, "resume": True}, "no checkpoint"),
    ],
)
def test_what_cannot_be_done_is_said(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        compress_model(trained_cnn(), images(64), **{"rounds": 1, "epochs": 1, **options})
    assert says in error.value.message
    assert "\n" not in error.value.message + error.value.hint


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (data.take(images(), np.arange(6)), "6 samples are too few"),
        (data.make(images().inputs, np.arange(320) % 5), "class indices up to 4"),
        (data.make((images().inputs[0][:, :4],), images().labels), "expected samples of shape 8x8x1"),
    ],
)
def test_data_that_does_not_fit(samples: data.Data, says: str) -> None:
    with pytest.raises(InputError, match=says):
        compress_model(trained_cnn(), samples, sparsity=0.5, rounds=1, epochs=1)
    with pytest.raises(InputError, match=says if "few" not in says else "."):
        compress_model(
            trained_cnn(), images(), validation=samples, sparsity=0.5, rounds=1, epochs=1, learning_rate=1e30
        )


def test_a_channel_that_gains_more_than_is_asked_for_is_not_worth_more() -> None:
    """A kernel takes channels in pairs: one of a convolution gains a fifth, one of a dense layer little."""
    entry = keras.Input((8, 8, 1))
    x = L.Conv2D(6, 3, padding="same", name="conv")(L.Conv2D(2, 3, padding="same")(entry))
    x = L.Dense(17, name="hidden")(L.Flatten()(L.Conv2D(10, 3)(L.MaxPooling2D()(x))))
    model = keras.Model(entry, L.Dense(4)(x))
    trace = follow(model)
    score = np.ones(len(trace.parent))
    score[trace.producers["conv"]] = 10.0
    core = target.of(M4)
    full = cost.total(model, core).instructions
    left = {}
    for share in (0.97, 0.8):
        pruned = prune_to(
            *(model, trace, score, lambda c: c.instructions, share * full, lambda c: c.instructions, core),
            minimum=2,
        )
        assert cost.total(pruned, core).instructions <= share * full
        left[share] = channels(pruned)
    assert left[0.97]["conv"] == 6
    assert left[0.8]["conv"] < 6
