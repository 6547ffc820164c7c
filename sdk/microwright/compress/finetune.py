"""Train a Keras model on data: after pruning, from a teacher, with int8's rounding, or from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microwright import _tensorflow
from microwright import data as samples
from microwright.compress import copies, distil, fake_quantization, feed, losses
from microwright.compress.distil import Teacher
from microwright.compress.losses import Score
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array
from microwright.progress import Progress, silent

# Of a dataset, to see what its labels are.
_LABELS_SAMPLES = 256
_SCORE_BATCH = 256
_KERNELS = frozenset(("depthwise_kernel", "kernel", "pointwise_kernel"))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training. `model` is the best epoch's, None before the first epoch ended."""

    def __init__(self, model: Any | None) -> None:
        super().__init__()
        self.model = model


def fine_tune(
    model: Any,
    data: Data | Any,
    *,
    epochs: int = 10,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    validation: Data | Any | None = None,
    validation_split: float = 0.1,
    optimizer: Any = None,
    loss: Any = None,
    callbacks: Sequence[Any] = (),
    teacher: Teacher | None = None,
    keep_zeros: bool = False,
    quantization_aware: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> Any:
    """A trained copy of a Keras 3 model, with the weights of the epoch whose validation loss was lowest.

    data                Data, or a tf.data.Dataset of batches (x, y)
    validation          the same; where it is None, a fraction `validation_split` of Data, drawn with `seed`.
                        With 0, and of a Dataset, nothing: the last epoch's weights stay
    optimizer           a Keras optimizer, copied; by default Adam at `learning_rate`, which falls to a tenth
                        along a cosine
    loss                a Keras loss or its name; by default it follows from the labels: cross entropy for
                        classes, mean squared error for targets, and without labels where the output has the
                        input's shape (an autoencoder)
    callbacks           Keras callbacks, as for `Model.fit`
    teacher             a trained model to learn from, beside the labels
    keep_zeros          entries of kernels that are exactly zero stay so
    quantization_aware  weights and activations are rounded as int8 rounds them; the copy is not

    Seeds the random generators of Python, numpy and TensorFlow: the same arguments give the same weights on
    the same machine. Raises InputError for data that does not fit, and when the loss is no longer finite;
    `Interrupted` for Ctrl-C.
    """
    keras, tf = _tensorflow.keras(), _tensorflow.tensorflow()
    if epochs < 1 or batch_size < 1 or not learning_rate > 0 or not 0 <= validation_split < 1:
        raise InputError(
            f"cannot train for {epochs} epochs in batches of {batch_size} at learning rate {learning_rate:g} "
            f"with validation split {validation_split:g}",
            "give at least 1 epoch, 1 sample a batch, a learning rate above 0 and a split in [0, 1)",
        )
    if isinstance(data, Data) and validation is None and validation_split:
        data, validation = samples.split(data, 1 - validation_split, seed=seed)
    loss = prepared(model, data, validation, loss)
    keras.utils.set_random_seed(seed)
    tuned = copies.model(model)
    trained = fake_quantization.quantized(tuned) if quantization_aware else tuned
    held: list[tuple[Any, Any]] = []
    if keep_zeros:
        held = _hold_zeros(keras, trained)
    x: Any = data
    y: Any = None
    if isinstance(data, Data):
        x, y = feed.pairs(tuned, data, loss)
    judged = feed.pairs(tuned, validation, loss) if isinstance(validation, Data) else validation
    student, weights = trained, trained.trainable_weights
    if teacher is not None:
        # The layers of a model that rounds are others.
        matched = replace(teacher, features={}) if quantization_aware else teacher
        # Of samples that stay the same, the teacher says the same in every epoch.
        answered = isinstance(data, Data) and not matched.features
        student, weights = distil.student(trained, matched, loss, answered=answered)
        if answered:
            y = y, distil.answers(matched, x)
    optimizer = _optimizer(keras, optimizer, learning_rate, epochs * feed.count(data, batch_size))
    # XLA takes longer to compile a small model than to train it.
    student.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    optimizer.build(weights)
    best: tuple[float, list[Array]] | None = None
    broken: str | None = None
    done = 0

    def after(epoch: int, logs: Mapping[str, float]) -> None:
        nonlocal best, broken, done
        progress("train", epoch + 1, epochs)
        done = epoch + 1
        if not np.isfinite(logs["loss"]):
            broken = f"the loss is not finite after epoch {epoch + 1}"
        elif not np.isfinite(logs.get("val_loss", 0.0)):
            broken = f"the loss of the validation data is not finite after epoch {epoch + 1}"
        if broken is not None:
            student.stop_training = True
        elif validation is not None and (best is None or logs["val_loss"] < best[0]):
            best = logs["val_loss"], trained.get_weights()

    def result() -> Any:
        if best is not None:
            trained.set_weights(best[1])
        if trained is not tuned:
            fake_quantization.transfer(trained, tuned)
        for weight, constraint in held:
            weight.constraint = constraint
        return tuned

    with _tensorflow.Quiet() as quiet:
        quiet.show()
        try:
            student.fit(
                x,
                y,
                batch_size=batch_size if isinstance(data, Data) else None,
                epochs=epochs,
                validation_data=judged,
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after), *callbacks],
                verbose=0,
            )
        # Keras and TensorFlow raise what a loss or a dataset given by the user happens to hit.
        except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
            raise losses.misfit(model, error) from None
        except KeyboardInterrupt:
            raise Interrupted(result() if done and broken is None else None) from None
    if broken is not None:
        raise InputError(
            f"{model.name}: {broken}",
            "lower the learning rate, scale the samples to about [-1, 1], and look for NaN among them",
        )
    return result()


def score(model: Any, data: Data | Any, loss: Any = None) -> Score:
    """Loss and accuracy of a model on Data or a tf.data.Dataset. Raises InputError where they do not fit."""
    loss = prepared(model, data, None, loss)
    return losses.score(model, feed.batches(model, data, loss, _SCORE_BATCH), loss)


def prepared(model: Any, data: Data | Any, validation: Data | Any | None, loss: Any) -> Any:
    """The loss to train with, when all has been checked that can be before training. Raises InputError."""
    feed.check(model, data, "data")
    if validation is not None:
        feed.check(model, validation, "validation")
    given = [part.labels is None for part in (data, validation) if isinstance(part, Data)]
    if len(set(given)) > 1:
        raise InputError(
            f"{model.name}: labels in only one of data and validation", "give both of them labels"
        )
    if loss is not None:
        losses.check(loss)
        return loss
    losses.check_labels(model, validation)
    if isinstance(data, Data):
        return losses.fitting(model, data)
    shape: Any = getattr(data.element_spec[1], "shape", ())
    one_hot = len(shape) == 2 and shape[-1] == model.outputs[0].shape[-1]
    return losses.fitting(model, feed.some(model, data, _LABELS_SAMPLES), one_hot=one_hot)


def _optimizer(keras: Any, optimizer: Any, learning_rate: float, steps: int) -> Any:
    if optimizer is None:
        return keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, max(steps, 1), alpha=0.1)
        )
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise InputError(
            f"{str(optimizer)[:80]!r} is no Keras optimizer", "give one, e.g. keras.optimizers.Adam(1e-3)"
        )
    return type(optimizer).from_config(optimizer.get_config())


def digest(optimizer: Any, loss: Any) -> str:
    """Of what can be told of an optimizer and losses: functions by their names."""

    def told(given: Any) -> str:
        if hasattr(given, "get_config"):
            return f"{type(given).__name__} {given.get_config()}"
        return str(getattr(given, "__qualname__", given))

    return ", ".join(told(each) for each in (optimizer, *_tensorflow.keras().tree.flatten(loss)))


def _hold_zeros(keras: Any, model: Any) -> list[tuple[Any, Any]]:
    """Constraints that set again what is zero in a kernel after each step; (weight, constraint before)."""
    held = []
    for weight in model.trainable_weights:
        if weight.name in _KERNELS:
            mask = np.asarray(weight) != 0
            if not mask.all():
                held.append((weight, weight.constraint))
                weight.constraint = _Mask(keras, mask, weight.constraint)
    return held


class _Mask:
    """A constraint on top of another one, or none."""

    def __init__(self, keras: Any, mask: Array, inner: Any) -> None:
        self._mask = keras.ops.convert_to_tensor(mask.astype(np.float32))
        self._inner = inner

    def __call__(self, weight: Any) -> Any:
        value = weight if self._inner is None else self._inner(weight)
        return value * self._mask
