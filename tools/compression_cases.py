"""What ./tools/bench_compression compresses: networks, their data, and how far they have to go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow, data
from microwright.data import Data

# Of each training image of a digit: copies that are moved, turned and scaled by up to so much.
COPIES = 15
PIXELS, DEGREES, ZOOM = 1.0, 10.0, 0.1


@dataclass(frozen=True)
class Split:
    """Three parts of a data set: `train` fits weights and calibrates, `validation` selects, `test` is only
    measured with.
    """

    train: Data
    validation: Data
    test: Data


@dataclass(frozen=True)
class Goal:
    """What a compressed network has to reach with every seed: at most these parts of the float network's
    bytes and MACs, at most so many percentage points less accuracy, at least this accuracy (0 to 1), and so
    much before it was compressed.
    """

    bytes_ratio: float = 1.0
    macs_ratio: float = 1.0
    drop: float = 100.0
    accuracy: float = 0.0
    float_accuracy: float = 0.0


@dataclass(frozen=True)
class Training:
    """How a network is trained. The learning rate is that of the beginning."""

    epochs: int
    learning_rate: float
    batch_size: int = 32


@dataclass(frozen=True)
class Case:
    """A network, its data, and how it is compressed.

    way        fractions of the float network's MACs, one a step, each trained for a while
    ends       further ones, each trained for long. The first that the goal's bytes and MACs allow is taken,
               and those behind it as long as they hold
    tolerance  percentage points that the mean validation accuracy may lose for an end to hold
    begin, on_way, at_end   training of the float network, and of a step
    """

    split: Callable[[int], Split]
    network: Callable[[], Any]
    goal: Goal
    way: tuple[float, ...]
    ends: tuple[float, ...]
    tolerance: float
    begin: Training
    on_way: Training
    at_end: Training


def split(everything: Data, seed: int) -> Split:
    """A fifth to test, the same for every seed; of the others a fifth to validate. Each part has the classes
    in the same proportion.
    """
    rest, test = _parts(everything, 0)
    train, validation = _parts(rest, seed)
    return Split(train, validation, test)


def _parts(everything: Data, seed: int) -> tuple[Data, Data]:
    from sklearn.model_selection import train_test_split

    most, fifth = train_test_split(
        np.arange(everything.samples), test_size=0.2, stratify=everything.labels, random_state=seed
    )
    return data.take(everything, most), data.take(everything, fifth)


def digits(seed: int) -> Split:
    """1797 images of 8x8 pixels, scaled to [0, 1]; those that train, in several copies."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16.0).astype(np.float32)[..., np.newaxis]
    parts = split(data.make((images,), bunch.target), seed)
    return Split(augmented(parts.train, seed), parts.validation, parts.test)


def augmented(images: Data, seed: int) -> Data:
    """The images and `COPIES` of each, moved, turned and scaled at random."""
    from scipy.ndimage import affine_transform

    rng = np.random.default_rng(seed)
    given = images.inputs[0]
    centre = (np.array(given.shape[1:3]) - 1) / 2

    def copy(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        angle = np.deg2rad(rng.uniform(-DEGREES, DEGREES))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn *= 1 + rng.uniform(-ZOOM, ZOOM)
        moved = centre + rng.uniform(-PIXELS, PIXELS, 2)
        made: npt.NDArray[np.float32] = affine_transform(image, turn, centre - turn @ moved, order=1)
        return made

    copies = [np.stack([copy(image[..., 0]) for image in given])[..., np.newaxis] for _ in range(COPIES)]
    assert images.labels is not None
    return Data((np.concatenate([given, *copies]),), np.tile(images.labels, COPIES + 1))


def binary(seed: int) -> Split:
    """569 samples of 30 features, each standardised by the training samples' mean and deviation."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    parts = split(data.make((bunch.data.astype(np.float32),), bunch.target), seed)
    features = parts.train.inputs[0]
    centre, scale = features.mean(axis=0), features.std(axis=0)
    standard = [
        Data(((part.inputs[0] - centre) / scale,), part.labels)
        for part in (parts.train, parts.validation, parts.test)
    ]
    return Split(*standard)


def cnn() -> Any:
    """Untrained, for images of 8x8 pixels: 121,994 parameters, 1,854,080 MACs."""
    keras = _tensorflow.keras()
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(10, name="classes"),
        ],
        name="digits",
    )


def dense() -> Any:
    """Untrained, for 30 features: two hidden layers of 64 sigmoid units, 6,209 parameters."""
    keras = _tensorflow.keras()
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(64, activation="sigmoid", name="hidden1"),
            layers.Dense(64, activation="sigmoid", name="hidden2"),
            layers.Dense(1, activation="sigmoid", name="malignant"),
        ],
        name="binary",
    )


CASES: Mapping[str, Case] = {
    "digits": Case(
        digits,
        cnn,
        Goal(bytes_ratio=0.1, macs_ratio=0.01, drop=1.0, float_accuracy=0.98),
        way=(0.3, 0.08, 0.025),
        ends=(0.01, 0.008),
        tolerance=0.75,
        begin=Training(6, 2e-3),
        on_way=Training(5, 5e-3, 64),
        at_end=Training(160, 8e-3, 128),
    ),
    "binary": Case(
        binary,
        dense,
        Goal(bytes_ratio=0.1, accuracy=0.9139),
        way=(0.5, 0.3),
        ends=(0.15, 0.1, 0.07, 0.05, 0.035, 0.025),
        tolerance=0.5,
        begin=Training(60, 5e-3),
        on_way=Training(30, 5e-3),
        at_end=Training(60, 5e-3),
    ),
}
