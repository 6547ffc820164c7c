"""Train a Keras model on data: after pruning, from a teacher, with int8's rounding, or from scratch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microwright import _tensorflow, load
from microwright import data as samples
from microwright.compress import distil, fake_quantization
from microwright.compress.distil import Teacher, activation
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array
from microwright.progress import Progress, silent

_KERNELS = frozenset(("depthwise_kernel", "kernel", "pointwise_kernel"))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training. `model` is the best epoch's, None before the first epoch ended."""

    def __init__(self, model: Any | None) -> None:
        super().__init__()
        self.model = model


@dataclass(frozen=True)
class Score:
    """How a model does on data: mean loss, and the share of right classes (0 to 1) where there are any."""

    loss: float
    accuracy: float | None


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
    keras.utils.set_random_seed(seed)
    tuned = keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    if loss is None:
        check_labels(tuned, validation)
    loss = loss_for(tuned, data, loss)
    trained = fake_quantization.quantized(tuned) if quantization_aware else tuned
    held: list[tuple[Any, Any]] = []
    if keep_zeros:
        held = _hold_zeros(keras, trained)
    x, y = _batched(tuned, data)
    student, weights = trained, trained.trainable_weights
    if teacher is not None:
        # The layers of a model that rounds are others.
        matched = replace(teacher, features={}) if quantization_aware else teacher
        # Of samples that stay the same, the teacher says the same in every epoch.
        answered = isinstance(data, Data) and not matched.features
        student, weights = distil.student(trained, matched, loss, answered=answered)
        if answered:
            y = y, distil.answers(matched, x)
    optimizer = _optimizer(keras, optimizer, learning_rate, epochs * _batches(data, batch_size))
    # XLA takes longer to compile a small model than to train it.
    student.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    optimizer.build(weights)
    best: tuple[float, list[Array]] | None = None
    broken: int | None = None
    done = 0

    def after(epoch: int, logs: Mapping[str, float]) -> None:
        nonlocal best, broken, done
        progress("train", epoch + 1, epochs)
        done = epoch + 1
        if not all(np.isfinite(value) for value in logs.values()):
            broken = epoch + 1
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
                validation_data=None if validation is None else _validation(tuned, validation),
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after), *callbacks],
                verbose=0,
            )
        # Keras and TensorFlow raise what a loss or a dataset given by the user happens to hit.
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise _misfit(model, error) from None
        except KeyboardInterrupt:
            raise Interrupted(result() if done and broken is None else None) from None
    if broken is not None:
        raise InputError(
            f"{model.name}: the loss is not finite after epoch {broken}",
            f"lower the learning rate, e.g. to {learning_rate / 10:g}, or scale the samples to about [-1, 1]",
        )
    return result()


def score(model: Any, data: Data | Any, loss: Any = None) -> Score:
    """Loss and accuracy of a model on Data or a tf.data.Dataset. Raises InputError where they do not fit.

    The class is the index of the largest output; of a single output, 1 where its probability is a half.
    """
    tf = _tensorflow.tensorflow()
    loss = loss_for(model, data, loss)
    function = loss_function(loss)
    losses, right, count = 0.0, 0, 0
    classifies = len(model.outputs) == 1 and distil.output_kind(model.outputs[0], loss) != "values"
    single = math.prod(model.outputs[0].shape[1:]) == 1
    threshold = 0.5 if activation(model.outputs[0]) == "sigmoid" else 0.0
    for x, y in batches(model, data, 256):
        try:
            output = model(x, training=False)
            size = len(tf.nest.flatten(y)[0])
            losses += size * float(tf.reduce_mean(function(y, output)))
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise _misfit(model, error) from None
        count += size
        labels = np.asarray(y) if classifies else np.zeros(0)
        if classifies and labels.size == size:
            values = np.asarray(output).reshape(size, -1)
            classes = values[:, 0] >= threshold if single else values.argmax(axis=1)
            right += int(np.count_nonzero(classes == labels.reshape(-1)))
        else:
            classifies = False
    if not count:
        raise InputError(f"{model.name}: there is no data to validate with", "give at least one batch")
    return Score(losses / count, right / count if classifies else None)


def _misfit(model: Any, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    return InputError(
        f"{model.name}: cannot be trained on this data: {reason}", "check the loss and the labels"
    )


def batches(model: Any, data: Data | Any, size: int) -> Iterator[tuple[Any, Any]]:
    """(x, y) of Data in batches of a size, or of a Dataset as it has them."""
    if not isinstance(data, Data):
        yield from data
        return
    x, y = pairs(model, data)
    for start in range(0, data.samples, size):
        part = slice(start, start + size)
        yield [array[part] for array in x] if isinstance(x, list) else x[part], y[part]


def some(data: Data | Any, count: int, seed: int = 0) -> Data:
    """Up to `count` samples: random ones of Data, the first ones of a Dataset. Raises InputError."""
    if isinstance(data, Data):
        order = np.random.default_rng(seed).permutation(data.samples)[:count]
        return samples.take(data, np.sort(order))
    xs: list[tuple[Array, ...]] = []
    ys: list[Array] = []
    taken = 0
    for batch in data:
        if not isinstance(batch, tuple) or len(batch) < 2 or isinstance(batch[1], (dict, list, tuple)):
            raise InputError("the dataset does not give pairs (x, y)", "map it to batches of x and y")
        x = batch[0]
        flat = list(x.values()) if isinstance(x, dict) else list(x) if isinstance(x, (list, tuple)) else [x]
        xs.append(tuple(np.asarray(array) for array in flat))
        ys.append(np.asarray(batch[1]))
        taken += len(ys[-1])
        if taken >= count:
            break
    if not xs:
        raise InputError("the dataset is empty", "give at least one batch of x and y")
    inputs = tuple(np.concatenate(parts)[:count] for parts in zip(*xs, strict=True))
    return samples.make(inputs, np.concatenate(ys)[:count], where="dataset")


def pairs(model: Any, data: Data) -> tuple[Any, Array]:
    """Samples and what the output should be, as `fit` takes them."""
    inputs = load.inputs_of(load.from_keras(model, model.name), data)
    x = inputs[0] if len(inputs) == 1 else list(inputs)
    if data.labels is None:
        return x, inputs[0]
    one_output = data.labels.ndim == 1 and model.outputs[0].shape[-1] == 1
    return x, data.labels.reshape(-1, 1) if one_output else data.labels


def loss_for(model: Any, data: Data | Any, loss: Any = None) -> Any:
    """The given loss; otherwise the one that fits the output's shape and activation, and the labels."""
    if loss is not None:
        return loss
    return _loss(_tensorflow.keras(), model, data if isinstance(data, Data) else some(data, 256))


def loss_function(loss: Any) -> Callable[[Any, Any], Any]:
    """A loss to call with labels and outputs. Raises InputError for an unknown name."""
    try:
        function: Callable[[Any, Any], Any] = _tensorflow.keras().losses.get(loss)
    except ValueError:
        raise InputError(f"there is no loss {loss!r}", "give the name of a Keras loss, or a loss") from None
    return function


def _batched(model: Any, data: Data | Any) -> tuple[Any, Any]:
    return pairs(model, data) if isinstance(data, Data) else (data, None)


def _validation(model: Any, data: Data | Any) -> Any:
    return pairs(model, data) if isinstance(data, Data) else data


def _batches(data: Data | Any, size: int) -> int:
    """Batches of an epoch. Raises InputError for a dataset without end."""
    if isinstance(data, Data):
        return math.ceil(data.samples / size)
    count = int(data.cardinality())
    if count == -1:
        raise InputError("the dataset has no end", "end it with take(batches of an epoch)")
    return count if count >= 0 else sum(1 for _ in data)


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


def check_labels(model: Any, data: Data | Any) -> None:
    """Raise InputError for a class that the model does not have. What is no Data is not looked at."""
    if (
        not isinstance(data, Data)
        or data.labels is None
        or data.labels.dtype.kind != "i"
        or len(model.outputs) != 1
    ):
        return
    shape = tuple(model.outputs[0].shape[1:])
    if len(shape) != 1 or data.labels.max() >= max(shape[-1], 2):
        raise InputError(
            f"{model.name}: class indices up to {data.labels.max()}, outputs of shape {shape}",
            "give the model one output per class (or a single one for two classes)",
        )


def _loss(keras: Any, model: Any, data: Data) -> Any:
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
    check_labels(model, data)
    kind = activation(output)
    if shape[-1] == 1:
        return keras.losses.BinaryCrossentropy(from_logits=kind != "sigmoid")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=kind != "softmax")
