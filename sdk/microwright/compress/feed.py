"""What models are trained and judged with: Data, and tf.data.Datasets of batches (x, y[, weights])."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from microwright import _tensorflow, load
from microwright import data as samples
from microwright.compress import losses
from microwright.compress.inline import ends
from microwright.data import Data
from microwright.errors import InputError
from microwright.graph import Array

# x, y and sample weights, None without.
Batch: TypeAlias = tuple[Any, Any, Any]


def check(model: Any, data: Data | Any, what: str) -> None:
    """Raise InputError for what a model cannot be trained or judged with; `what` names it: data, validation.

    Of a Dataset, what is known without reading it.
    """
    if isinstance(data, Data):
        load.inputs_of(load.from_keras(model, model.name), data)
        if data.labels is not None and len(model.outputs) > 1:
            raise InputError(
                f"{model.name}: {len(model.outputs)} outputs, labels of one",
                "give a tf.data.Dataset with labels of every output, and a loss",
            )
        return
    tf = _tensorflow.tensorflow()
    if not isinstance(data, tf.data.Dataset):
        raise InputError(
            f"{what} is a {type(data).__name__}, neither Data nor a tf.data.Dataset",
            "give microwright.load_data(path), or tf.data.Dataset.from_tensor_slices((x, y)).batch(32)",
        )
    spec = data.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise InputError(f"{what}: the dataset does not give pairs (x, y)", "map it to batches of x and y")
    if int(data.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise InputError(f"{what}: the dataset has no end", "end it with take(batches of an epoch)")
    for position, (tensor, given) in enumerate(zip(model.inputs, inputs_of(model, spec[0]), strict=True)):
        if not given.shape.is_compatible_with(tensor.shape):
            raise InputError(
                f"{what}: input {position} of {model.name}: expected batches of shape {tuple(tensor.shape)}, "
                f"the dataset has {tuple(given.shape)}",
                "group samples with batch(32); see the dataset's element_spec",
            )


def inputs_of(model: Any, x: Any) -> list[Any]:
    """The part of a batch's x, or of its specification, that is for each of the model's inputs."""
    if isinstance(x, Mapping):
        entry = ends(model)[0]
        names = {id(tensor): name for name, tensor in entry.items()} if isinstance(entry, Mapping) else {}
        wanted = [names.get(id(tensor), tensor._keras_history.operation.name) for tensor in model.inputs]
        missing = [name for name in wanted if name not in x]
        if missing:
            raise InputError(
                f"{model.name}: the dataset has no input {missing[0]!r}, only {', '.join(map(str, x))}",
                "name its parts as the model's inputs",
            )
        return [x[name] for name in wanted]
    flat = list(_tensorflow.keras().tree.flatten(x))
    if len(flat) != len(model.inputs):
        raise InputError(
            f"{model.name}: the model has {len(model.inputs)} inputs, the dataset {len(flat)}",
            "give a tuple with a tensor for each of the model's inputs, or a dict by their names",
        )
    return flat


def batches(model: Any, data: Data | Any, loss: Any, size: int) -> Iterator[Batch]:
    """Data in batches of a size, a Dataset in its own, with labels as the loss takes them."""
    if not isinstance(data, Data):
        for batch in data:
            yield _tensorflow.keras().utils.unpack_x_y_sample_weight(batch)
        return
    x, y = pairs(model, data, loss)
    for start in range(0, data.samples, size):
        part = slice(start, start + size)
        yield [array[part] for array in x] if isinstance(x, list) else x[part], y[part], None


def sampled(model: Any, data: Data | Any, loss: Any, count: int, size: int, seed: int) -> Iterator[Batch]:
    """Batches of a size, of up to `count` samples: random ones of Data, the first ones of a Dataset."""
    if isinstance(data, Data):
        return batches(model, _drawn(data, count, seed), loss, size)
    return batches(model, data.unbatch().take(count).batch(size), loss, size)


def some(model: Any, data: Data | Any, count: int, seed: int = 0) -> Data:
    """Up to `count` samples: random ones of Data, the first ones of a Dataset. Raises InputError.

    Labels of several outputs are left out.
    """
    if isinstance(data, Data):
        return _drawn(data, count, seed)
    xs: list[list[Array]] = []
    ys: list[Array] = []
    taken = 0
    for x, y, _ in batches(model, data, None, 0):
        xs.append([np.asarray(array) for array in inputs_of(model, x)])
        if not isinstance(y, (Mapping, list, tuple)):
            ys.append(np.asarray(y))
        taken += len(xs[-1][0])
        if taken >= count:
            break
    if not xs:
        raise InputError("the dataset is empty", "give at least one batch of x and y")
    inputs = tuple(np.concatenate(parts)[:count] for parts in zip(*xs, strict=True))
    return samples.make(inputs, np.concatenate(ys)[:count] if ys else None, where="dataset")


def pairs(model: Any, data: Data, loss: Any) -> tuple[Any, Array]:
    """Samples and what the output should be, as `fit` takes them with a loss."""
    inputs = load.inputs_of(load.from_keras(model, model.name), data)
    x = inputs[0] if len(inputs) == 1 else list(inputs)
    if data.labels is None:
        return x, inputs[0]
    if data.labels.ndim == 1 and model.outputs[0].shape[-1] == 1:
        return x, data.labels.reshape(-1, 1)
    if data.labels.dtype.kind == "i" and losses.takes_one_hot(losses.by_output(model, loss)[0]):
        losses.check_labels(model, data)
        return x, np.eye(model.outputs[0].shape[-1], dtype=np.float32)[data.labels]
    return x, data.labels


def count(data: Data | Any, size: int) -> int:
    """Batches of an epoch."""
    if isinstance(data, Data):
        return math.ceil(data.samples / size)
    known = int(data.cardinality())
    return known if known >= 0 else sum(1 for _ in data)


def _drawn(data: Data, count: int, seed: int) -> Data:
    order = np.random.default_rng(seed).permutation(data.samples)[:count]
    return samples.take(data, np.sort(order))
