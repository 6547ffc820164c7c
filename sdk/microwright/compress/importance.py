"""How much each class of channels matters: by the norms of its weights, or by what its loss would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import _tensorflow
from microwright.compress.trace import Ids, Slices, Trace

Importance: TypeAlias = Literal["l1", "l2", "gamma", "taylor"]
Scores: TypeAlias = npt.NDArray[np.float64]


def norms(trace: Trace, importance: Importance) -> Scores:
    """Importance of each class, at its root: summed over the layers that make it, each layer's mean 1."""
    scale = np.ones(len(trace.parent))
    scaled = np.zeros(len(trace.parent), bool)
    for ids, factors in trace.scales:
        # A flattened map repeats its channels.
        unique, inverse = np.unique(ids, return_inverse=True)
        scale[unique] *= np.bincount(inverse, weights=factors) / np.bincount(inverse)
        scaled[unique] = True
    roots = trace.roots()
    score = np.zeros(len(trace.parent))
    for name, made in trace.producers.items():
        norm = _norms(trace.slices[name], 1 if importance == "l1" else 2)
        if importance == "gamma":
            norm = np.where(scaled[made], 1.0, norm)
        norm *= scale[made]
        np.add.at(score, roots[made], norm / (norm.mean() or 1.0))
    return score


def taylor(
    model: Any, trace: Trace, batches: Iterable[tuple[Any, Any, Any]], loss: Callable[[Any, Any, Any], Any]
) -> Scores:
    """First-order change of the loss without each class, at its root; the mean of its size over batches.

    Batches are (x, labels, sample weights); the loss is one of (labels, outputs, sample weights).

    A channel x becomes zero: sum of x * dL/dx, which is the sum of w * dL/dw over the weights that read it
    (P. Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019).
    """
    tf = _tensorflow.tensorflow()
    readers = [reader for name in trace.producers if (reader := _reader(trace.slices[name])) is not None]
    variables = [weight for weight, _, _ in readers]

    def gradients(x: Any, y: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=False), weights)
        return tape.gradient(value, [variable.value for variable in variables])

    compiled = tf.function(gradients, autograph=False, reduce_retracing=True)
    roots = trace.roots()
    total = np.zeros(len(trace.parent))
    count = 0
    for batch in batches:
        change = np.zeros(len(trace.parent))
        for (weight, axis, ids), gradient in zip(readers, compiled(*batch), strict=True):
            if gradient is None:
                continue
            product = np.asarray(weight.value, np.float64) * np.asarray(gradient, np.float64)
            others = tuple(i for i in range(product.ndim) if i != axis)
            np.add.at(change, roots[ids], product.sum(axis=others))
        total += np.abs(change)
        count += 1
    return total / max(count, 1)


def _reader(slices: Slices) -> tuple[Any, int, Ids] | None:
    """(weight, axis, ids) of the last weight that reads channels to make new ones."""
    found = None
    for name, axes in slices.weights.items():
        for axis, ids in axes.items():
            if ids is not slices.output:
                found = getattr(slices.layer, name), axis, ids
    return found


def _norms(slices: Slices, order: int) -> Scores:
    """Norm of what makes each output channel: all weights with an axis of them."""
    total = np.zeros(len(slices.output))
    for name, axes in slices.weights.items():
        for axis, ids in axes.items():
            if ids is slices.output:
                values = np.asarray(getattr(slices.layer, name), np.float64)
                others = tuple(i for i in range(values.ndim) if i != axis)
                total += (np.abs(values) ** order).sum(axis=others)
    return total if order == 1 else np.sqrt(total)
