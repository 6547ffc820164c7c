"""Samples and labels from a file: path -> Data, and Data -> what a model's input takes."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from microwright.errors import InputError
from microwright.graph import Array, Graph, Quantization

# Data for a microcontroller is small; more than this is a mistake or a decompression bomb.
MAX_BYTES = 2 << 30

_SAVE = "save it with numpy.savez(path, x=samples, y=labels)"
# What numpy.load and the zip reader raise for files that are damaged or made to hurt.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class Data:
    """Samples of a model's inputs, and their labels.

    `inputs` has one array per model input; the first axis counts samples and is equally long in all of them.
    `labels` are class indices, int64 of shape (samples,), or targets, float32 of shape (samples, ...), or
    None. Every value is finite.
    """

    inputs: tuple[Array, ...]
    labels: Array | None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.inputs[0])


def load(path: Path) -> Data:
    """Samples and labels of a `.npz` (x, or x0, x1, ... for several inputs; y optional) or a `.npy` (x only).

    Labels of shape (samples, 1) and one-hot labels become class indices. Raises InputError for anything
    else: a file that cannot be read, other names, pickled objects, text, NaN, no samples, unequal numbers of
    samples.
    """
    arrays = _read(path)
    labels = arrays.pop("y", None)
    names = ["x"] if "x" in arrays else [f"x{i}" for i in range(len(arrays))]
    if not arrays or set(names) != set(arrays):
        found = ", ".join(sorted(arrays)[:8]) or "no samples"
        raise InputError(f"{path}: expected arrays x (or x0, x1, ...) and y, found {found[:200]}", _SAVE)
    return make(tuple(arrays[name] for name in names), labels, where=str(path))


def make(inputs: tuple[Array, ...], labels: Array | None = None, *, where: str = "data") -> Data:
    """Data from arrays, checked as `load` checks a file; `where` is how messages name them."""
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
    return Data(inputs, labels)


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
    return Data(tuple(array[samples] for array in data.inputs), labels)


def to_input(graph: Graph, position: int, samples: Array) -> Array:
    """Samples as the graph's input at `position` takes them: shape (samples, *tensor shape), its dtype.

    `samples` has the tensor's shape after the sample axis; a leading 1 (the batch) may be left out. An array
    of the tensor's dtype passes as it is. Real (float) values are quantised as by TensorFlow Lite's QUANTIZE:

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
            f"{where}: expected samples of shape {_shape(expected)}, got {_shape(samples.shape[1:])}",
            f"give an array of shape {_shape(('samples', *expected))}",
        )
    shaped = samples.reshape(len(samples), *shape)
    if shaped.dtype == np.dtype(tensor.dtype):
        return shaped
    if tensor.dtype == "float32" and shaped.dtype.kind in "biuf":
        return shaped.astype(np.float32)
    q = tensor.quantization
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


def _read(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            magic = file.read(6)
            file.seek(0)
            if magic.startswith(b"PK"):
                return _read_npz(path, file)
            if magic == b"\x93NUMPY":
                return {"x": np.asarray(np.load(file, allow_pickle=False))}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "check the path of the data") from None
    except _UNREADABLE as error:
        # OSError's text repeats the path.
        reason = (
            (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        )
        raise InputError(f"{path}: cannot be read: {_line(reason)}", _SAVE) from None
    raise InputError(f"{path}: neither a .npz nor a .npy file", _SAVE)


def _read_npz(path: Path, file: IO[bytes]) -> dict[str, Array]:
    with zipfile.ZipFile(file) as archive:
        size_bytes = sum(member.file_size for member in archive.infolist())
    if size_bytes > MAX_BYTES:
        raise InputError(
            f"{path}: {size_bytes} bytes of arrays, more than {MAX_BYTES}", "give fewer samples in a file"
        )
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        return {name: np.asarray(archive[name]) for name in archive.files}


def _check(where: str, name: str, array: Array) -> None:
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{where}: {name} holds {_line(str(array.dtype))}, expected numbers",
            "convert it to float32 or int8",
        )
    if array.ndim < 1 or array.size == 0:
        raise InputError(
            f"{where}: {name} has shape {_shape(array.shape)}: no samples", "give at least one sample"
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


def _shape(shape: tuple[object, ...]) -> str:
    return "x".join(str(size) for size in shape) or "scalar"


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
