"""Training: it learns, is repeatable, keeps the best epoch, and says why it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, data, load
from microwright.compress import fine_tune
from microwright.compress.inline import inline
from microwright.errors import InputError

keras = _tensorflow.keras()
L = keras.layers


def blobs(count: int = 240) -> data.Data:
    """Three classes around three points."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=count)
    centres = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 3.0]])
    return data.make(((centres[y] + rng.normal(scale=0.5, size=(count, 2))).astype(np.float32),), y)


def classifier(outputs: int = 3, activation: str | None = "softmax") -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2,)), L.Dense(8, activation="relu"), L.Dense(outputs, activation)])


def accuracy(model: Any, samples: data.Data) -> float:
    output = load.predict(load.from_keras(model, "net"), samples)[0]
    return float((output.argmax(axis=1) == samples.labels).mean())


@pytest.mark.parametrize("activation", ["softmax", None])
def test_it_learns_and_leaves_the_model_alone(activation: str | None) -> None:
    model = classifier(activation=activation)
    before = [w.copy() for w in model.get_weights()]
    tuned = fine_tune(model, blobs(), epochs=15, learning_rate=0.02)
    assert accuracy(tuned, blobs()) > 0.97
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("quantization_aware", [False, True])
def test_what_normalization_learned_from_data_stays(*, quantization_aware: bool) -> None:
    """Its mean and variance are weights, but also what it made of them."""
    samples = data.make((blobs().inputs[0] * 50 + 300,), blobs().labels)
    normalization = L.Normalization()
    normalization.adapt(samples.inputs[0])
    inner = keras.Sequential([keras.Input((2,)), normalization])
    trained = fine_tune(
        classifier(), data.make((inner(samples.inputs[0]).numpy(),), samples.labels), epochs=15
    )
    model = keras.Sequential([keras.Input((2,)), normalization, *trained.layers])
    options = {"epochs": 1, "learning_rate": 1e-12, "quantization_aware": quantization_aware}
    expected = np.asarray(model(samples.inputs[0]))
    for tuned in (fine_tune(model, samples, **options), inline(keras.Sequential([inner, *trained.layers]))):
        np.testing.assert_allclose(tuned(samples.inputs[0]), expected, atol=1e-4)


def test_layers_that_cannot_be_copied_are_named() -> None:
    model = keras.Sequential([keras.Input((2,)), L.Lambda(lambda x: 2 * x, name="twice"), L.Dense(3)])
    with pytest.raises(InputError, match="layer 'twice', a Lambda, cannot be copied"):
        fine_tune(model, blobs(), epochs=1)


def test_the_same_seed_gives_the_same_weights() -> None:
    model = classifier()
    weights = []
    for seed in (1, 1, 2):
        weights.append(fine_tune(model, blobs(), epochs=2, seed=seed).get_weights())
        keras.utils.set_random_seed(7)
    one, same, other = weights
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert not all((a == b).all() for a, b in zip(one, other, strict=True))


def test_one_output_is_binary() -> None:
    samples = blobs()
    assert samples.labels is not None
    binary = data.make(samples.inputs, (samples.labels == 1).astype(int))
    tuned = fine_tune(classifier(1, "sigmoid"), binary, epochs=15, learning_rate=0.02)
    output = load.predict(load.from_keras(tuned, "net"), binary)[0]
    assert ((output[:, 0] > 0.5) == binary.labels).mean() > 0.97


def test_without_labels_it_reproduces_its_input() -> None:
    x = data.make(blobs().inputs)
    model = classifier(2, None)
    error = [
        float(np.square(load.predict(load.from_keras(m, "net"), x)[0] - x.inputs[0]).mean())
        for m in (model, fine_tune(model, x, epochs=20, learning_rate=0.02))
    ]
    assert error[1] < 0.1 * error[0]


def test_the_best_epoch_is_kept() -> None:
    """With labels of the validation data that contradict the training, no epoch is better than the first."""
    samples = blobs()
    assert samples.labels is not None
    wrong = data.make(samples.inputs, (samples.labels + 1) % 3)
    long = fine_tune(classifier(), samples, validation=wrong, epochs=8, learning_rate=0.005)
    kept = accuracy(long, samples)
    last = accuracy(
        fine_tune(classifier(), samples, validation_split=0, epochs=8, learning_rate=0.005), samples
    )
    assert kept < last - 0.05


def test_progress_counts_epochs() -> None:
    seen: list[tuple[str, int, int]] = []
    fine_tune(classifier(), blobs(), epochs=3, progress=lambda *step: seen.append(step))
    assert seen == [("train", 1, 3), ("train", 2, 3), ("train", 3, 3)]


def test_a_loss_that_is_not_finite() -> None:
    samples = blobs()
    huge = data.make((samples.inputs[0] * 1e30,), samples.labels)
    with pytest.raises(InputError, match="the loss is not finite after epoch 1") as error:
        fine_tune(classifier(activation=None), huge, epochs=5, learning_rate=1e20)
    assert "learning rate" in error.value.hint


@pytest.mark.parametrize(
    ("outputs", "labels", "options", "says"),
    [
        (2, np.arange(240) % 3, {}, "class indices up to 2"),
        (3, None, {}, "nothing to train for"),
        (3, np.full((240, 2), 0.5), {}, "labels of shape"),
        (3, np.arange(240) % 3, {"epochs": 0}, "cannot train for 0 epochs"),
        (3, np.arange(240) % 3, {"learning_rate": float("nan")}, "learning rate nan"),
        (3, np.arange(240) % 3, {"loss": "no_such_loss"}, "there is no loss 'no_such_loss'"),
    ],
)
def test_what_does_not_fit(outputs: int, labels: Any, options: dict[str, Any], says: str) -> None:
    samples = data.make(blobs().inputs, labels)
    with pytest.raises(InputError, match=says):
        fine_tune(classifier(outputs), samples, **options)
