"""Training with int8's rounding: it rounds as the converter does, and wins back what int8 costs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, comparison, data, load
from microwright.compress import compress_model, fake_quantization, fine_tune
from microwright.data import Data
from microwright.errors import InputError
from microwright.load import Model
from microwright.quantize import quantize
from tests.support.keras_models import cnn, images, same_weights, trained_cnn

keras = _tensorflow.keras()
L = keras.layers


def dark(samples: Data) -> Data:
    """The images with a pixel that is always zero."""
    x = samples.inputs[0].copy()
    x[:, 0, 0] = 0
    return data.make((x,), samples.labels)


@cache
def wide_weights() -> Any:
    """A trained network with weights of the dark pixel so large that int8 leaves the others few values."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Flatten(), L.Dense(8, "relu", name="first"), L.Dense(4, "softmax")]
    )
    model = fine_tune(model, dark(images()), epochs=15, learning_rate=1e-2)
    kernel, bias = model.get_layer("first").get_weights()
    kernel[0] = 250 * np.abs(kernel).max(axis=0)
    model.get_layer("first").set_weights([kernel, bias])
    return model


def int8_accuracy(model: Any, samples: Data) -> float:
    result = comparison.compare(load.from_keras(model, "net"), int8(model), samples)
    assert result.other_accuracy is not None
    return result.other_accuracy


def int8(model: Any) -> Model:
    graph = quantize(load.from_keras(model, "net"), dark(images()))
    return Model(Path("net.tflite"), "net", graph.sha256, "tflite", None, graph.flatbuffer)


def test_it_wins_back_what_int8_costs() -> None:
    unseen = dark(images(200, seed=5))
    result = compress_model(
        wide_weights(),
        dark(images()),
        validation=dark(images(100, seed=6)),
        method=None,
        max_drop=2.0,
        epochs=15,
        learning_rate=3e-3,
    )
    assert [step.what for step in result.steps] == ["as given", "train for int8"]
    after = int8_accuracy(result.model, unseen)
    assert int8_accuracy(wide_weights(), unseen) < 0.75
    assert after > 0.92
    assert result.int8_accuracy == pytest.approx(after, abs=0.05)
    plain = fine_tune(wide_weights(), dark(images()), epochs=15, learning_rate=3e-3)
    assert after > int8_accuracy(plain, unseen) + 0.05, "training on without rounding helps less"


def test_where_int8_costs_little_nothing_is_trained() -> None:
    result = compress_model(trained_cnn(), images(), method=None, max_drop=5.0)
    assert [step.what for step in result.steps] == ["as given"]
    assert same_weights(result.model, trained_cnn())
    assert result.int8_accuracy is not None
    assert result.int8_accuracy > 0.9


def test_it_rounds_as_the_int8_model_does() -> None:
    """After training, the rounding model is nearer to the int8 model than the float model is."""
    keras.utils.set_random_seed(3)
    entry = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(entry)
    x = L.ReLU(name="relu")(L.BatchNormalization(name="bn")(x))
    x = L.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    x = L.Flatten(name="flat")(L.MaxPooling2D(4, name="pool")(x))
    model = keras.Model(entry, L.Dense(4, name="classes")(x), name="net")
    tuned = fine_tune(model, dark(images()), epochs=4, learning_rate=1e-2, quantization_aware=True)
    assert [type(layer).__name__ for layer in tuned.layers] == [
        type(layer).__name__ for layer in model.layers
    ]
    rounding = fake_quantization.quantized(tuned)
    # A pass in training mode lets the bounds follow; the batch statistics stay as they are.
    rounding.get_layer("bn").trainable = False
    x = dark(images()).inputs[0]
    rounding(x, training=True)
    (expected,) = comparison._reals(int8(tuned), dark(images()), lambda *_: None).values()
    rounded = np.abs(np.asarray(rounding(x)) - expected).mean()
    plain = np.abs(np.asarray(tuned(x)) - expected).mean()
    assert rounded < 0.7 * plain


def test_zeros_stay_zero() -> None:
    model = cnn()
    kernel = np.asarray(model.get_layer("conv2").kernel).copy()
    kernel[..., ::2] = 0
    model.get_layer("conv2").kernel.assign(kernel)
    tuned = fine_tune(model, images(), epochs=1, keep_zeros=True, quantization_aware=True)
    after = np.asarray(tuned.get_layer("conv2").kernel)
    assert (after[..., ::2] == 0).all()
    assert (after[..., 1::2] != kernel[..., 1::2]).any()


@pytest.mark.parametrize("max_drop", [-1.0, float("nan")])
def test_a_drop_that_makes_no_sense(max_drop: float) -> None:
    with pytest.raises(InputError, match="largest drop"):
        compress_model(trained_cnn(), images(64), method=None, max_drop=max_drop)


def test_without_classes_there_is_no_accuracy_to_hold() -> None:
    tf = _tensorflow.tensorflow()
    samples = images(64)
    dataset = tf.data.Dataset.from_tensor_slices((samples.inputs[0], samples.labels)).batch(16)
    with pytest.raises(InputError, match="no accuracy whose drop"):
        compress_model(trained_cnn(), dataset, method=None, max_drop=1.0)
