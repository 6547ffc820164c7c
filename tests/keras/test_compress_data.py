"""Compression with data, labels and losses as their owners have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, data
from microwright.compress import compress_model, feed, fine_tune
from microwright.compress.finetune import score
from microwright.errors import InputError
from tests.support.keras_models import accuracy, images, trained_cnn

keras = _tensorflow.keras()
tf = _tensorflow.tensorflow()
L = keras.layers
Dataset = tf.data.Dataset
X, Y = images().inputs[0], images().labels
ONE_HOT = np.eye(4, dtype=np.float32)[Y]
SHORT: dict[str, Any] = {"sparsity": 0.5, "rounds": 1, "epochs": 2}


def slices(*arrays: Any) -> Any:
    return Dataset.from_tensor_slices(arrays).batch(32)


def dense(inputs: int, outputs: int) -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((inputs,)), L.Dense(16, activation="relu"), L.Dense(outputs)])


def two_tasks() -> Any:
    """A class and a mean of an image and a vector."""
    keras.utils.set_random_seed(0)
    image, vector = keras.Input((8, 8, 1), name="image"), keras.Input((3,), name="vector")
    x = L.Concatenate()([L.Flatten()(L.Conv2D(6, 3, strides=2)(image)), L.Dense(6)(vector)])
    x = L.Dense(24, activation="relu", name="hidden")(x)
    outputs = {"class": L.Dense(4, "softmax", name="class")(x), "mean": L.Dense(1, name="mean")(x)}
    return keras.Model({"image": image, "vector": vector}, outputs)


def test_several_outputs_with_a_loss_each() -> None:
    """From a dataset of dicts, in another order than the model's, and with a teacher."""
    vectors = np.random.default_rng(0).normal(size=(len(X), 3)).astype(np.float32)
    means = X.mean(axis=(1, 2))
    dataset = slices({"vector": vectors, "image": X}, {"mean": means, "class": Y})
    loss = {"class": "sparse_categorical_crossentropy", "mean": "mean_squared_error"}
    result = compress_model(
        two_tasks(), dataset, validation=dataset, loss=loss, teacher=two_tasks(), **{**SHORT, "epochs": 5}
    )
    before, after = result.steps[0], result.steps[-1]
    assert after.parameters < 0.6 * before.parameters
    assert before.loss is not None
    assert after.loss is not None
    assert after.loss < before.loss
    assert after.accuracy is None
    taken = feed.some(two_tasks(), dataset, 50)
    assert [array.shape for array in taken.inputs] == [(50, 8, 8, 1), (50, 3)]
    np.testing.assert_array_equal(taken.inputs[1], vectors[:50])


def test_one_hot_labels() -> None:
    """As Data they become class indices, but a loss that takes them gets them."""
    for samples, loss in (
        (data.make((X,), ONE_HOT), "categorical_crossentropy"),
        (slices(X, ONE_HOT), None),
    ):
        result = compress_model(trained_cnn(), samples, validation=samples, loss=loss, max_drop=100, **SHORT)
        assert result.steps[-1].accuracy == pytest.approx(accuracy(result.model, images()))
        assert result.int8_accuracy is not None


def test_sample_weights() -> None:
    """Samples without weight do not matter, whatever their labels are."""
    weights = np.where(np.arange(len(X)) < 200, 1.0, 0.0).astype(np.float32)
    labels = np.where(weights > 0, Y, 0)
    weighted = slices(X, labels, weights)
    result = compress_model(trained_cnn(), weighted, validation=weighted, **SHORT)
    assert accuracy(result.model, images()) > 0.9
    half = score(trained_cnn(), slices(X, Y, np.full(len(X), 0.5, np.float32)))
    full = score(trained_cnn(), slices(X, Y))
    assert half.loss == pytest.approx(full.loss / 2, rel=1e-3)
    assert half.accuracy == full.accuracy


def test_targets_that_are_whole_numbers() -> None:
    """A single real output is no classifier."""
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    samples = data.make((x,), np.round(np.abs(5 * x[:, 0])))
    before, after = dense(4, 1), fine_tune(dense(4, 1), samples, epochs=5, learning_rate=0.01)
    assert score(after, samples).loss < 0.8 * score(before, samples).loss
    assert score(after, samples).accuracy is None
    with pytest.raises(InputError, match="no accuracy whose drop"):
        compress_model(dense(4, 1), samples, max_drop=1.0, **SHORT)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda: Dataset.from_tensor_slices((X, Y)), "expected batches of shape (None, 8, 8, 1)"),
        (lambda: slices(X[:, :4], Y), "the dataset has (None, 4, 8, 1)"),
        (lambda: slices(X, Y).repeat(), "the dataset has no end"),
        (lambda: Dataset.from_tensor_slices(X).batch(32), "does not give pairs"),
        (lambda: slices({"x": X}, Y), "the dataset has no input"),
        (lambda: slices((X, X), Y), "the model has 1 inputs, the dataset 2"),
        (lambda: (X, Y), "is a tuple, neither Data nor"),
        (lambda: None, "is a NoneType, neither Data nor"),
    ],
)
def test_datasets_that_do_not_fit(given: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        compress_model(trained_cnn(), given(), **SHORT)
    assert says in error.value.message
    if given() is not None:
        with pytest.raises(InputError) as error:
            compress_model(trained_cnn(), images(), validation=given(), **SHORT)
        assert says in error.value.message


@pytest.mark.parametrize(
    ("validation", "says"),
    [
        (lambda: data.make((X,)), "labels in only one of data and validation"),
        (lambda: slices(X, Y + 50), "Received a label value of 53"),
        (lambda: slices(X * np.nan, Y), "the loss of the validation data is not finite"),
    ],
)
def test_validation_that_does_not_fit(validation: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        fine_tune(trained_cnn(), images(), validation=validation(), epochs=1)
    assert says in error.value.message
    assert len(error.value.message) < 300


def test_labels_outside_the_range_that_training_meets() -> None:
    late = np.where(np.arange(len(Y)) > 300, 77, Y)
    with pytest.raises(InputError, match="Received a label value of 77"):
        fine_tune(trained_cnn(), slices(X, late), epochs=1)


def test_labels_of_one_output_are_not_enough_for_two() -> None:
    samples = data.make((X, X[:, 0, :3, 0]), Y)
    with pytest.raises(InputError, match="2 outputs, labels of one"):
        compress_model(two_tasks(), samples, **SHORT)
