"""Small Keras models and data that they learn in a second."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from microwright import _tensorflow, data, load
from microwright.compress import fine_tune
from microwright.data import Data


def images(count: int = 320, seed: int = 0) -> Data:
    """Four classes of 8x8 images: a bright quarter in noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=count)
    x = rng.normal(scale=0.7, size=(count, 8, 8, 1))
    for sample, label in zip(x, y, strict=True):
        row, column = divmod(int(label), 2)
        sample[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 0.8
    return data.make((x.astype(np.float32),), y)


def cnn(width: int = 8) -> Any:
    """Two convolutions and two dense layers, untrained."""
    keras = _tensorflow.keras()
    layers = keras.layers
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(width, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(2 * width, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flat"),
            layers.Dense(2 * width, activation="relu", name="dense"),
            layers.Dense(4, activation="softmax", name="classes"),
        ],
        name="quarters",
    )


@cache
def trained_cnn() -> Any:
    """`cnn` after training on `images`. Not to be changed."""
    return fine_tune(cnn(), images(), epochs=8, learning_rate=5e-3)


def accuracy(model: Any, samples: Data) -> float:
    """Share of right classes of a float model."""
    output = load.predict(load.from_keras(model, "net"), samples)[0]
    return float((output.argmax(axis=1) == samples.labels).mean())


def same_weights(one: Any, other: Any) -> bool:
    """Whether two models have equal weights."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(a.shape == b.shape and bool((a == b).all()) for a, b in pairs)
