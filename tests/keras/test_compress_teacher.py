"""Distillation: a model learns what its teacher knows, alone and while it is pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, board, data
from microwright.compress import Teacher, compress_model, fine_tune
from microwright.errors import InputError
from tests.support.keras_models import accuracy, cnn, images, trained_cnn

keras = _tensorflow.keras()
L = keras.layers


def without_sense() -> data.Data:
    """The images with labels that say nothing about them."""
    return data.make(images().inputs, np.random.default_rng(9).integers(4, size=320))


def test_a_student_learns_from_the_teacher_alone() -> None:
    unseen = images(200, seed=5)
    taught = fine_tune(
        cnn(4),
        without_sense(),
        epochs=12,
        learning_rate=5e-3,
        teacher=Teacher(trained_cnn(), weight=1.0),
        validation_split=0,
    )
    alone = fine_tune(cnn(4), without_sense(), epochs=12, learning_rate=5e-3, validation_split=0)
    assert accuracy(taught, unseen) > 0.9
    assert accuracy(alone, unseen) < 0.6


def test_logits_and_probabilities_teach_the_same() -> None:
    """A teacher whose softmax was cut off is the same teacher, if the loss says that it gives logits."""
    cut = keras.models.clone_model(trained_cnn())
    cut.set_weights(trained_cnn().get_weights())
    cut.get_layer("classes").activation = keras.activations.linear
    outputs = []
    for teacher in (trained_cnn(), cut):
        student = cnn(4)
        student.get_layer("classes").activation = keras.activations.linear
        tuned = fine_tune(
            student,
            without_sense(),
            epochs=2,
            validation_split=0,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            teacher=Teacher(teacher, weight=1.0, temperature=2.0),
        )
        outputs.append(np.asarray(tuned(images().inputs[0])))
    np.testing.assert_allclose(*outputs, atol=0.02)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_binary_and_real_outputs_are_taught(activation: str | None) -> None:
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    wanted = x[:, 0] - x[:, 1]
    labels = (wanted > 0).astype(int) if activation else wanted
    noise = np.random.default_rng(1).permutation(300)

    def net(width: int) -> Any:
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((3,)), L.Dense(width, "relu"), L.Dense(1, activation)])

    teacher = fine_tune(net(16), data.make((x,), labels), epochs=20, learning_rate=0.02)
    taught = fine_tune(
        net(6),
        data.make((x,), labels[noise]),
        epochs=20,
        learning_rate=0.02,
        validation_split=0,
        teacher=Teacher(teacher, weight=1.0, temperature=1.0),
    )
    assert float(np.abs(np.asarray(taught(x)) - np.asarray(teacher(x))).mean()) < 0.12


def test_features_become_alike() -> None:
    """The student's layer has other channels; what it knows of the teacher's shows in a linear fit."""
    features = {"conv2": "conv2"}

    def unexplained(model: Any) -> float:
        mine, theirs = (
            np.asarray(keras.Model(m.inputs[0], m.get_layer("conv2").output)(images().inputs[0]))
            for m in (model, trained_cnn())
        )
        mine, theirs = mine.reshape(-1, mine.shape[-1]), theirs.reshape(-1, theirs.shape[-1])
        fit = mine @ np.linalg.lstsq(mine, theirs, rcond=None)[0]
        return float(np.square(fit - theirs).mean() / np.square(theirs).mean())

    options: dict[str, Any] = {"epochs": 8, "learning_rate": 5e-3, "validation_split": 0}
    plain = fine_tune(cnn(4), images(), **options)
    matched = fine_tune(
        cnn(4),
        images(),
        teacher=Teacher(trained_cnn(), weight=0.0, features=features, feature_weight=3.0),
        **options,
    )
    assert unexplained(matched) < 0.8 * unexplained(plain)
    assert len(matched.get_weights()) == len(plain.get_weights()), "the mapping is thrown away"


def test_compress_with_a_teacher_only_trains() -> None:
    result = compress_model(
        cnn(4), images(), method=None, teacher=trained_cnn(), epochs=6, learning_rate=5e-3
    )
    assert [step.what for step in result.steps] == ["as given", "distil"]
    assert accuracy(result.model, images(200, seed=5)) > 0.85
    assert result.model.count_params() == cnn(4).count_params()


def test_pruning_with_a_teacher() -> None:
    result = compress_model(
        trained_cnn(),
        without_sense(),
        sparsity=0.6,
        board=board.load("mps2-an386"),
        importance="l2",
        teacher=Teacher(trained_cnn(), weight=1.0, features={"dense": "dense"}),
        rounds=2,
        epochs=6,
    )
    assert accuracy(result.model, images(200, seed=5)) > 0.85


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        (
            lambda: keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), L.Dense(3)]),
            "outputs of shape 3, the model",
        ),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 2)), L.Flatten(), L.Dense(4)]),
            "inputs of shape 8x8x2",
        ),
        (lambda: Teacher(trained_cnn(), weight=1.5), "weight 1.5"),
        (lambda: Teacher(trained_cnn(), temperature=0), "temperature 0"),
        (lambda: Teacher(trained_cnn(), features={"conv": "conv2"}), "no layer 'conv'"),
        (lambda: Teacher(trained_cnn(), features={"conv1": "conv2"}), "layer 'conv1' has outputs of shape"),
    ],
)
def test_teachers_that_do_not_fit(teacher: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        compress_model(trained_cnn(), images(64), method=None, teacher=teacher(), epochs=1)
    assert says in error.value.message
