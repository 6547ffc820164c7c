"""Train a Keras model on data: after pruning, or from scratch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from microwright import _tensorflow, load
from microwright import data as samples
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array
from microwright.progress import Progress, silent


def fine_tune(
    model: Any,
    data: Data,
    *,
    epochs: int = 10,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    validation: Data | None = None,
    validation_split: float = 0.1,
    loss: Any = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Any:
    """A trained copy of a Keras 3 model, with the weights of the epoch whose validation loss was lowest.

    Trains with Adam at a learning rate that falls to a tenth along a cosine. `validation` is used where
    given, otherwise a fraction `validation_split` of `data`, drawn with `seed`; with 0 the last epoch's
    weights stay. `loss` is a Keras loss or its name; without one it follows from the labels: cross entropy
    for classes, mean squared error for targets, and without labels where the output has the input's shape
    (an autoencoder).

    Seeds the random generators of Python, numpy and TensorFlow: the same arguments give the same weights on
    the same machine. Raises InputError for data that does not fit, and when the loss is no longer finite.
    """
    keras = _tensorflow.keras()
    if epochs < 1 or batch_size < 1 or not learning_rate > 0 or not 0 <= validation_split < 1:
        raise InputError(
            f"cannot train for {epochs} epochs in batches of {batch_size} at learning rate {learning_rate:g} "
            f"with validation split {validation_split:g}",
            "give at least 1 epoch, 1 sample a batch, a learning rate above 0 and a split in [0, 1)",
        )
    if validation is None and validation_split:
        data, validation = samples.split(data, 1 - validation_split, seed=seed)
    keras.utils.set_random_seed(seed)
    tuned = keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    steps = epochs * math.ceil(data.samples / batch_size)
    tuned.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.1)
        ),
        loss=loss or _loss(keras, tuned, data),
    )
    best: tuple[float, list[Array]] | None = None
    broken: int | None = None

    def after(epoch: int, logs: Mapping[str, float]) -> None:
        nonlocal best, broken
        progress("train", epoch + 1, epochs)
        if not all(np.isfinite(value) for value in logs.values()):
            broken = epoch + 1
            tuned.stop_training = True
        elif validation is not None and (best is None or logs["val_loss"] < best[0]):
            best = logs["val_loss"], tuned.get_weights()

    x, y = _pairs(tuned, data)
    with _tensorflow.Quiet() as quiet:
        quiet.show()
        try:
            tuned.fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                validation_data=None if validation is None else _pairs(tuned, validation),
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after)],
                verbose=0,
            )
        # Keras raises what a loss given by the user happens to hit.
        except (TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{model.name}: cannot be trained on this data: {reason}", "check the loss and the labels"
            ) from None
    if broken is not None:
        raise InputError(
            f"{model.name}: the loss is not finite after epoch {broken}",
            f"lower the learning rate, e.g. to {learning_rate / 10:g}, or scale the samples to about [-1, 1]",
        )
    if best is not None:
        tuned.set_weights(best[1])
    return tuned


def _pairs(model: Any, data: Data) -> tuple[Any, Array]:
    """Samples and what the output should be, as `fit` takes them."""
    inputs = load.inputs_of(load.from_keras(model, model.name), data)
    x = inputs[0] if len(inputs) == 1 else list(inputs)
    if data.labels is None:
        return x, inputs[0]
    one_output = data.labels.ndim == 1 and model.outputs[0].shape[-1] == 1
    return x, data.labels.reshape(-1, 1) if one_output else data.labels


def _loss(keras: Any, model: Any, data: Data) -> Any:
    """The loss that fits the output's shape and activation, and the labels."""
    output = model.outputs[0]
    shape = tuple(output.shape[1:])
    if len(model.outputs) != 1:
        raise InputError(f"{model.name}: {len(model.outputs)} outputs, no loss is obvious", "give a loss")
    if data.labels is None:
        if shape != data.inputs[0].shape[1:]:
            raise InputError(f"{model.name}: there is nothing to train for: no labels", "give labels y")
        return "mean_squared_error"
    if data.labels.dtype.kind == "f":
        if data.labels.shape[1:] not in (shape, shape[:-1]):
            raise InputError(
                f"{model.name}: labels of shape {data.labels.shape[1:]}, outputs of shape {shape}",
                "give one target per output value",
            )
        return "mean_squared_error"
    classes = max(shape[-1], 2)
    if len(shape) != 1 or data.labels.max() >= classes:
        raise InputError(
            f"{model.name}: class indices up to {data.labels.max()}, outputs of shape {shape}",
            "give the model one output per class (or a single one for two classes)",
        )
    activation = _activation(output)
    if shape[-1] == 1:
        return keras.losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")


def _activation(tensor: Any) -> str:
    layer = tensor._keras_history.operation
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", "linear")
