"""Samples and their labels, and what a model's input takes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microwright.errors import InputError
from microwright.graph import Array, Graph, Quantization

# Data for a microcontroller is small; more than this is a mistake or a decompression bomb.
MAX_BYTES = 2 << 30


@dataclass(frozen=True)
class Input:
    """An input of a model: its name there, and the shape of one sample of it, without the batch."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Data:
    """Samples of a model's inputs, and their labels.

    `inputs` has one array per model input; the first axis counts samples and is equally long in all of them.
    `labels` are class indices, int64 of shape (samples,), or targets, float32 of shape (samples, ...), or
    None. Every value is finite. `classes` are the names of the classes, in the order of their indices, where
    the data has them.
    """

    inputs: tuple[Array, ...]
    labels: Array | None
    classes: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.inputs[0])


def make(
    inputs: tuple[Array, ...],
    labels: Array | None = None,
    *,
    classes: tuple[str, ...] = (),
    where: str = "data",
) -> Data:
    """Data from arrays, checked; `where` is how messages name them.

    Labels of shape (samples, 1) and one-hot labels become class indices. Raises InputError for what is no
    number, NaN, no samples, unequal numbers of samples.
    """
    names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]
    for name, array in zip(names, inputs, strict=True):
        _check(where, name, array)
        if len(array) != len(inputs[0]):
            raise InputError(
                f"{where}: {names[0]} has {len(inputs[0])} samples, {name} has {len(array)}",
                "give every input the same number of samples",
            )
    if labels is not None:
        _check(where, "y", labels)
        if len(labels) != len(inputs[0]):
            raise InputError(
                f"{where}: {names[0]} has {len(inputs[0])} samples, y has {len(labels)} labels",
                "give one label a sample",
            )
        labels = _labels(where, labels)
    return Data(inputs, labels, classes)


def split(data: Data, fraction: float, *, seed: int = 0) -> tuple[Data, Data]:
    """A random part of the samples, and the rest. Raises InputError where either would be empty."""
    count = round(fraction * data.samples)
    if not 0 < count < data.samples:
        raise InputError(
            f"{data.samples} samples cannot be split {fraction:g} to {1 - fraction:g}", "give more samples"
        )
    order = np.random.default_rng(seed).permutation(data.samples)
    return take(data, order[:count]), take(data, order[count:])


def take(data: Data, samples: Array) -> Data:
    """The samples at these positions."""
    labels = None if data.labels is None else data.labels[samples]
    return Data(tuple(array[samples] for array in data.inputs), labels, data.classes)


def to_input(graph: Graph, position: int, samples: Array) -> Array:
    """Samples as the graph's input at `position` takes them: shape (samples, *tensor shape), its dtype.

    `samples` has the tensor's shape after the sample axis; a leading 1 (the batch) may be left out. An array
    of the tensor's dtype passes as it is, so do whole numbers for indices (int32 or int64, not quantised).
    Real (float) values are quantised as by TensorFlow Lite's QUANTIZE:

        q = clamp(round(x / scale) + zero_point), x / scale in float32, halves rounded away from zero

    Raises InputError that says what was expected and what was given.
    """
    if not 0 <= position < len(graph.inputs):
        raise InputError(
            f"{graph.name}: data for input {position}, but the model has {len(graph.inputs)}",
            "give one array per model input: x, or x0, x1, ...",
        )
    tensor = graph.tensors[graph.inputs[position]]
    where = f"{graph.name}: input {position}"
    shape = tensor.shape
    if samples.shape[1:] != shape and not (shape[:1] == (1,) and samples.shape[1:] == shape[1:]):
        expected = shape[1:] if shape[:1] == (1,) else shape
        raise InputError(
            f"{where}: expected samples of shape {shape_text(expected)}, got {shape_text(samples.shape[1:])}",
            f"give an array of shape {shape_text(('samples', *expected))}",
        )
    shaped = samples.reshape(len(samples), *shape)
    if shaped.dtype == np.dtype(tensor.dtype):
        return shaped
    if tensor.dtype == "float32" and shaped.dtype.kind in "biuf":
        return shaped.astype(np.float32)
    q = tensor.quantization
    if q is None and tensor.dtype in ("int32", "int64") and shaped.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            integers = shaped.astype(tensor.dtype)
        if np.array_equal(integers, shaped):
            return integers
    if q is not None and len(q.scales) == 1 and shaped.dtype.kind == "f":
        return _quantize(shaped, q, np.dtype(tensor.dtype))
    raise InputError(
        f"{where}: expected {tensor.dtype}" + (" or float32" if q else "") + f", got {shaped.dtype}",
        f"convert it: x.astype('float32') for real values, x.astype({tensor.dtype!r}) for quantised ones",
    )


def _quantize(real: Array, quantization: Quantization, dtype: np.dtype[np.generic]) -> Array:
    if not np.isfinite(real).all():
        raise InputError(
            "samples hold values that are not finite", "remove NaN and infinity from the samples"
        )
    # What overflows float32 becomes infinite and is clamped.
    with np.errstate(over="ignore"):
        scaled = (real.astype(np.float32) / np.float32(quantization.scales[0])).astype(np.float64)
    # In float64 the 0.5 is added exactly, so that 0.49999997 stays below one half.
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled) + quantization.zero_points[0]
    limits = np.iinfo(dtype.name)
    quantized: Array = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return quantized


def _check(where: str, name: str, array: Array) -> None:
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{where}: {name} holds {str(array.dtype)[:80]}, expected numbers",
            "number the classes: numpy.unique(labels, return_inverse=True)[1]"
            if name == "y"
            else "convert it to float32 or int8",
        )
    if array.ndim < 1 or array.size == 0:
        raise InputError(
            f"{where}: {name} has shape {shape_text(array.shape)}: no samples", "give at least one sample"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        raise InputError(
            f"{where}: {name} holds NaN or infinity, first in sample {int(np.argmax(bad))}",
            "remove these samples or replace the values",
        )


def _labels(where: str, labels: Array) -> Array:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
        return np.asarray(labels.argmax(axis=1), np.int64)
    whole = labels.dtype.kind != "f" or bool((labels == np.floor(labels)).all())
    if labels.ndim == 1 and whole:
        if labels.min() < 0 or labels.max() > np.iinfo(np.int32).max:
            raise InputError(
                f"{where}: y has class indices from {labels.min()} to {labels.max()}", "number classes from 0"
            )
        return labels.astype(np.int64)
    return labels.astype(np.float32)


def shape_text(shape: tuple[object, ...]) -> str:
    """A shape as messages write it: `8x8x1`."""
    return "x".join(str(size) for size in shape) or "scalar"
