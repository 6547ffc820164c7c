"""Losses: the one that fits a model and its labels, and how a model does by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microwright import _tensorflow
from microwright.compress.inline import ends
from microwright.data import Data
from microwright.errors import InputError

# Losses over classes that take a label for each of them, without the underscores.
_ONE_HOT = frozenset(
    ("categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge", "kldivergence")
)


@dataclass(frozen=True)
class Score:
    """How a model does on data: mean loss, and the share of right classes (0 to 1) where there are any."""

    loss: float
    accuracy: float | None


def fitting(model: Any, data: Data, *, one_hot: bool = False) -> Any:
    """The loss that fits the output's shape and activation, and the labels. Raises InputError.

    `one_hot` says that it will get class indices as an array of zeros and a one.
    """
    keras = _tensorflow.keras()
    if len(model.outputs) != 1:
        raise InputError(f"{model.name}: {len(model.outputs)} outputs, no loss is obvious", "give a loss")
    output = model.outputs[0]
    shape = tuple(output.shape[1:])
    if data.labels is None:
        if shape != data.inputs[0].shape[1:]:
            raise InputError(f"{model.name}: there is nothing to train for: no labels", "give labels y")
        return "mean_squared_error"
    if data.labels.dtype.kind == "f":
        if data.labels.shape[1:] not in (shape, shape[:-1]):
            raise InputError(
                f"{model.name}: labels of shape {data.labels.shape[1:]}, outputs of shape {shape}",
                "give class indices from 0, or one target per output value",
            )
        return "mean_squared_error"
    check_labels(model, data)
    kind = activation(output)
    if shape[-1] > 1:
        made = keras.losses.CategoricalCrossentropy if one_hot else keras.losses.SparseCategoricalCrossentropy
        return made(from_logits=kind != "softmax")
    if _counts(model, data.labels):
        return "mean_squared_error"
    return keras.losses.BinaryCrossentropy(from_logits=kind != "sigmoid")


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
    if len(shape) != 1 or (data.labels.max() >= max(shape[-1], 2) and not _counts(model, data.labels)):
        raise InputError(
            f"{model.name}: class indices up to {data.labels.max()}, outputs of shape {shape}",
            "give the model one output per class (or a single one for two classes)",
        )


def check(loss: Any) -> None:
    """Raise InputError for a name that is no loss's, and for what is no loss."""
    keras = _tensorflow.keras()
    for each in keras.tree.flatten(loss):
        try:
            keras.losses.get(each)
        except ValueError:
            raise InputError(
                f"there is no loss {each!r}", "give the name of a Keras loss, or a loss"
            ) from None


def takes_one_hot(loss: Any) -> bool:
    """Whether the labels of a loss over classes are an array of them for each sample."""
    found = _tensorflow.keras().losses.get(loss)
    return getattr(found, "__name__", type(found).__name__).replace("_", "").lower() in _ONE_HOT


def by_output(model: Any, loss: Any) -> list[Any]:
    """The loss of each of the model's outputs; `loss` is one, a list of them, or a dict by name."""
    if isinstance(loss, Mapping):
        end = ends(model)[1]
        names = {id(tensor): name for name, tensor in end.items()} if isinstance(end, Mapping) else {}
        return [
            loss.get(names.get(id(tensor), tensor._keras_history.operation.name)) for tensor in model.outputs
        ]
    if isinstance(loss, (list, tuple)):
        return [loss[at] if at < len(loss) else None for at in range(len(model.outputs))]
    return [loss] * len(model.outputs)


def function(model: Any, loss: Any) -> Callable[[Any, Any, Any], Any]:
    """Mean loss of (labels, outputs, sample weights), as training counts it but for regularisation."""
    judge = _tensorflow.keras().Model(*ends(model))
    judge.compile(loss=loss, jit_compile=False)

    def mean(y: Any, output: Any, weights: Any) -> Any:
        return judge.compute_loss(y=y, y_pred=output, sample_weight=weights) - sum(judge.losses)

    return mean


def score(model: Any, batches: Iterable[tuple[Any, Any, Any]], loss: Any) -> Score:
    """Loss and accuracy of a model on batches (x, y, sample weights). Raises InputError.

    The class is the index of the largest output; of a single output, 1 where its probability is a half.
    """
    keras, tf = _tensorflow.keras(), _tensorflow.tensorflow()
    mean = function(model, loss)
    total, right, count = 0.0, 0, 0
    has_classes = len(model.outputs) == 1
    for x, y, weights in batches:
        try:
            output = model(x, training=False)
            size = len(keras.tree.flatten(output)[0])
            total += size * float(mean(y, output, weights))
        except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
            raise misfit(model, error) from None
        count += size
        hits = _right(model, np.asarray(keras.tree.flatten(output)[0]), y, loss) if has_classes else None
        has_classes = hits is not None
        right += hits or 0
    if not count:
        raise InputError(f"{model.name}: there is no data to validate with", "give at least one batch")
    return Score(total / count, right / count if has_classes else None)


def misfit(model: Any, error: Exception) -> InputError:
    """The error for what Keras and TensorFlow raise when data and loss do not fit the model."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    # The reason follows the places in the code of Keras, which are indented.
    flush = [line for line in lines if not line[0].isspace() and "most recent call last" not in line]
    reason = flush[-1] if "Graph execution error" in lines[0] else " ".join(lines)
    reason = " ".join(reason.rpartition("}} ")[2].split())[:200]
    return InputError(
        f"{model.name}: cannot be trained on this data: {reason}", "check the loss and the labels"
    )


def output_kind(tensor: Any, loss: Any) -> str:
    """What an output is, by its activation and its loss: "softmax" or "sigmoid" probabilities, "logits" or
    "binary logits" of them, or "values".
    """
    keras = _tensorflow.keras()
    name = activation(tensor)
    if name in ("softmax", "sigmoid"):
        return name
    if isinstance(loss, keras.losses.BinaryCrossentropy) or loss == "binary_crossentropy":
        return "binary logits"
    classes = (keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy)
    return "logits" if isinstance(loss, classes) or "categorical" in str(loss) else "values"


def activation(tensor: Any) -> str:
    """Name of the activation that makes a tensor, "linear" where there is none."""
    layer = tensor._keras_history.operation
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _counts(model: Any, labels: Any) -> bool:
    """Whether whole numbers are targets of a single real output, not classes."""
    output = model.outputs[0]
    return bool(output.shape[-1] == 1 and activation(output) != "sigmoid" and labels.max() > 1)


def classifies(model: Any, labels: Any, loss: Any) -> bool:
    """Whether labels are class indices, one a sample, and the model has one output that tells the class."""
    if labels is None or len(model.outputs) != 1 or labels.size != len(labels):
        return False
    if output_kind(model.outputs[0], loss) != "values":
        return bool((labels == np.floor(labels)).all())
    return labels.dtype.kind in "iu" and int(np.prod(model.outputs[0].shape[1:])) > 1


def _right(model: Any, output: Any, y: Any, loss: Any) -> int | None:
    """How many classes of a batch are right; None where the labels are no classes."""
    labels = np.asarray(_tensorflow.keras().tree.flatten(y)[0])
    kind = output_kind(model.outputs[0], loss)
    if labels.shape == output.shape and output.shape[-1] > 1 and kind in ("softmax", "logits"):
        labels = labels.argmax(axis=-1)
    if not classifies(model, labels, loss):
        return None
    values = output.reshape(len(output), -1)
    least = 0.5 if kind == "sigmoid" else 0.0
    classes = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0] >= least
    return int(np.count_nonzero(classes == labels.reshape(-1)))
