"""Makes files of this folder, with tensorflow 2.15 and tensorflow-model-optimization 0.8.1."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

keras = tf.keras
layers = keras.layers
_HERE = Path(__file__).parent


def pruned() -> Any:
    """A convolution and a dense layer, three quarters pruned."""
    entry = keras.Input((6, 6, 1), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(entry)
    x = layers.Dense(3, name="last")(layers.Flatten(name="flat")(x))
    schedule = tfmot.sparsity.keras.ConstantSparsity(0.75, 0, frequency=1)
    model = tfmot.sparsity.keras.prune_low_magnitude(keras.Model(entry, x), pruning_schedule=schedule)
    return trained(model, [tfmot.sparsity.keras.UpdatePruningStep()])


def quantized() -> Any:
    """All that has ranges: inputs, weights with one and with one a channel, outputs, activations."""
    entry = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(3, 3, padding="same", use_bias=False, name="conv")(entry)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="dw")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(layers.Add(name="add")([x, y]))
    x = layers.Dense(3, activation="softmax", name="last")(x)
    return trained(tfmot.quantization.keras.quantize_model(keras.Model(entry, x)), [])


def trained(model: Any, callbacks: list[Any]) -> Any:
    """The model after two epochs on noise."""
    rng = np.random.default_rng(0)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = rng.normal(size=(64, *model.input_shape[1:])), rng.integers(3, size=64)
    model.fit(x.astype(np.float32), y, epochs=2, verbose=0, callbacks=callbacks)
    return model


def save(model: Any, name: str, suffixes: tuple[str, ...]) -> None:
    """The model in files, compressed where the format can, and what it computes."""
    x = np.random.default_rng(1).normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    np.savez_compressed(_HERE / f"{name}.npz", x=x, outputs=model(x, training=False))
    for suffix in suffixes:
        path = _HERE / f"{name}{suffix}"
        model.save(path, **({} if suffix == ".keras" else {"include_optimizer": False}))
        if suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                content = {member: archive.read(member) for member in archive.namelist()}
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for member, data in content.items():
                    archive.writestr(zipfile.ZipInfo(member), data, zipfile.ZIP_DEFLATED)


keras.utils.set_random_seed(1)
save(pruned(), "pruned_keras_with_tfmot", (".keras",))
save(quantized(), "quantized_with_tfmot", (".h5", ".keras"))
