"""Which class an output names, and how often it is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.errors import InputError
from microwright.graph import Array, Tensor

_Integers: TypeAlias = npt.NDArray[np.int64]
_Reals: TypeAlias = npt.NDArray[np.float32]


def accuracy(outputs: Sequence[tuple[Array, ...]], labels: Array, tensor: Tensor | None = None) -> float:
    """Share of samples, 0 to 1, whose first output names their label (see `classes`).

    `tensor`, the graph's output, says which numbers the values of a quantised one stand for. `labels` are
    class indices, or one-hot rows. Raises InputError.
    """
    indices = _indices(labels)
    if len(indices) != len(outputs):
        raise InputError(
            f"there are {len(indices)} labels for {len(outputs)} samples", "give one label for each sample"
        )
    if not outputs:
        raise InputError("there are no samples to take the accuracy of", "give at least one sample")
    values = np.stack([sample[0].reshape(-1) for sample in outputs])
    count = max(values.shape[1], 2)
    if indices.min() < 0 or indices.max() >= count:
        raise InputError(
            f"labels are {indices.min()} to {indices.max()}, the model's classes 0 to {count - 1}",
            "give labels as indices of the model's output",
        )
    return float(
        np.mean(classes(values.astype(np.float32) if tensor is None else real(values, tensor)) == indices)
    )


def classes(reals: _Reals) -> _Integers:
    """The class that each row of real numbers names: the index of the largest, the first of several.

    A single number is class 1 from a half on where all are probabilities; of logits, which leave [0, 1], from
    0 on.
    """
    if reals.shape[1] > 1:
        return np.asarray(reals.argmax(axis=1), np.int64)
    probabilities = ((reals >= 0) & (reals <= 1)).all()
    return np.asarray(reals[:, 0] >= (0.5 if probabilities else 0), np.int64)


def real(values: Array, tensor: Tensor) -> _Reals:
    """Real values of a tensor's, in float32."""
    if values.dtype.kind == "f" or tensor.quantization is None:
        return values.astype(np.float32)
    quantization = tensor.quantization
    centred = values.astype(np.float32) - np.float32(quantization.zero_points[0])
    reals: _Reals = centred * np.float32(quantization.scales[0])
    return reals


def _indices(labels: Array) -> _Integers:
    """One class index a sample."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return np.asarray(labels.argmax(axis=1), np.int64)
    given = labels.reshape(-1)
    whole = given.dtype.kind in "iub" or (given.dtype.kind == "f" and np.equal(given, np.floor(given)).all())
    if not whole or labels.shape[:1] != given.shape:
        raise InputError(
            f"labels of type {labels.dtype} and shape {list(labels.shape)} are no class indices",
            "give y as integers of shape [samples], or as one-hot rows",
        )
    return given.astype(np.int64)
