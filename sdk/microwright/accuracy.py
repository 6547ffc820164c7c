"""How right outputs are where labels say what they should be: accuracy, confusion, AUC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.errors import InputError
from microwright.graph import Array, Graph, Tensor

_Integers: TypeAlias = npt.NDArray[np.int64]
_Reals: TypeAlias = npt.NDArray[np.float32]
Task: TypeAlias = Literal["classes", "anomalies"]

# Of more classes, nobody reads a confusion matrix.
MAX_CONFUSION = 100

# Their outputs have the values of their inputs, as far as their types hold them.
_SAME_VALUES = ("RESHAPE", "QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class ClassScores:
    """One class: how many samples have it, how many the outputs named so, how many of these rightly.

    `precision` is correct / named, `recall` correct / samples (Powers: Evaluation, 2011), None where that is
    0 / 0. `auc` is that of the class against the rest, see `roc_auc`.
    """

    index: int
    name: str
    samples: int
    named: int
    correct: int
    precision: float | None
    recall: float | None
    auc: float | None


@dataclass(frozen=True)
class Scores:
    """What outputs and labels come to.

    `task` is "classes", where outputs name one, or "anomalies", where a model gives its input again and how
    badly it does tells the class 1 from the class 0. `accuracy`, 0 to 1, and `classes`, in the order of their
    indices, are of the former only. `confusion` has a row a label and a column a named class; it is empty of
    more than MAX_CONFUSION classes. `auc`, 0 to 1:

        anomalies                    ROC AUC of the mean squared error between input and output, real values
        one score or two classes     ROC AUC of class 1
        more                         mean of the ROC AUC of each class against the rest (macro; Fawcett: An
                                     introduction to ROC analysis, 2006), of those that the labels have

    None where the labels are all of one class.
    """

    task: Task
    samples: int
    accuracy: float | None
    auc: float | None
    classes: tuple[ClassScores, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()


def task(graph: Graph, labels: Array | None) -> Task | None:
    """What the first output says of labels, which are class indices; None where that cannot be known.

    A model that has its input's shape at its output, more than two elements, no softmax before, and no labels
    but 0 and 1 looks for anomalies. Else, an output with more than one long axis names no class.
    """
    if labels is None or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return None
    given, output = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if output.shape == given.shape and output.elements > 2 and labels.max() <= 1 and not _ends_in(graph):
        return "anomalies"
    return "classes" if sum(size > 1 for size in output.shape) <= 1 else None


def _ends_in(graph: Graph) -> bool:
    """Whether the first output is a softmax's."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    node = makers.get(graph.outputs[0])
    while node is not None and node.op in _SAME_VALUES:
        node = makers.get(node.inputs[0])
    return node is not None and node.op in ("SOFTMAX", "LOG_SOFTMAX")


class Scorer:
    """Takes the outputs of one sample after the other, and keeps of them what the scores need.

    `labels` are class indices, one a sample; `names` those of the classes, where they are known. Raises
    InputError for classes that the model does not have.
    """

    def __init__(self, graph: Graph, labels: Array, names: tuple[str, ...] = ()) -> None:
        self._task = task(graph, labels)
        self._labels = np.asarray(labels, np.int64)
        self._names = names
        self._input = graph.tensors[graph.inputs[0]]
        self._output = output = graph.tensors[graph.outputs[0]]
        self._done = 0
        if self._task == "classes":
            last = max(output.elements, 2) - 1
            if len(labels) and (labels.min() < 0 or labels.max() > last):
                raise InputError(
                    f"labels are {labels.min()} to {labels.max()}, the model's classes 0 to {last}",
                    "give labels as indices of the model's output",
                )
            self._kept: Array = np.empty((len(labels), output.elements), output.dtype)
        else:
            self._kept = np.empty((len(labels), 1), np.float64)

    def add(self, inputs: tuple[Array, ...], outputs: tuple[Array, ...]) -> None:
        """The next sample."""
        if self._task == "classes":
            self._kept[self._done] = outputs[0].reshape(-1)
        elif self._task == "anomalies":
            given, got = real(inputs[0], self._input), real(outputs[0], self._output)
            self._kept[self._done] = np.square(got.astype(np.float64) - given).mean()
        self._done += 1

    @property
    def scores(self) -> Scores | None:
        """Of the samples so far; None where there are none, or where there is nothing to score."""
        if self._task is None or not self._done:
            return None
        kept, labels = self._kept[: self._done], self._labels[: self._done]
        if self._task == "anomalies":
            return Scores("anomalies", self._done, None, roc_auc(kept[:, 0], labels == 1))
        return _of_classes(real(kept, self._output), labels, self._names)


def _of_classes(reals: _Reals, labels: _Integers, names: tuple[str, ...]) -> Scores:
    named = classes(reals)
    count = max(reals.shape[1], 2)
    confusion = np.zeros((count, count), np.int64) if count <= MAX_CONFUSION else None
    if confusion is not None:
        np.add.at(confusion, (labels, named), 1)
    chances = _chances(reals)
    found = []
    for index in range(count):
        is_class, said = labels == index, named == index
        samples, says, correct = (int(np.count_nonzero(x)) for x in (is_class, said, is_class & said))
        found.append(
            ClassScores(
                index,
                names[index] if index < len(names) else "",
                samples,
                says,
                correct,
                correct / says if says else None,
                correct / samples if samples else None,
                roc_auc(chances[:, index], is_class) if 0 < samples < len(labels) else None,
            )
        )
    areas = [each.auc for each in (found[1:] if count == 2 else found) if each.auc is not None]
    return Scores(
        "classes",
        len(labels),
        float(np.mean(named == labels)),
        sum(areas) / len(areas) if areas else None,
        tuple(found),
        () if confusion is None else tuple(tuple(row) for row in confusion.tolist()),
    )


def _chances(reals: _Reals) -> npt.NDArray[np.float64]:
    """A score for each class that grows with its probability, over all samples.

    Probabilities themselves; of logits, which leave [0, 1], the softmax. Of a single number, it and its
    negative.
    """
    values = reals.astype(np.float64)
    if values.shape[1] == 1:
        return np.concatenate([-values, values], axis=1)
    if _are_probabilities(reals):
        return values
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def roc_auc(scores: Array, positive: npt.NDArray[np.bool_]) -> float | None:
    """Area under the receiver operating characteristic, 0 to 1; None without samples of both kinds.

    It is the probability that a positive sample scores higher than a negative one, half of it where they are
    equal (Hanley, McNeil: The meaning and use of the area under a ROC curve, 1982):

        AUC = (sum of the ranks of positives - n1 (n1 + 1) / 2) / (n1 n0)

    with n1 positives, n0 others, and equal scores sharing their mean rank.
    """
    ones = int(np.count_nonzero(positive))
    zeros = len(scores) - ones
    if not ones or not zeros:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    total = float(ranks[inverse.reshape(-1)][positive].sum())
    return (total - ones * (ones + 1) / 2) / (ones * zeros)


def classes(reals: _Reals) -> _Integers:
    """The class that each row of real numbers names: the index of the largest, the first of several.

    A single number is class 1 from a half on where all are probabilities; of logits, which leave [0, 1], from
    0 on.
    """
    if reals.shape[1] > 1:
        return np.asarray(reals.argmax(axis=1), np.int64)
    return np.asarray(reals[:, 0] >= (0.5 if _are_probabilities(reals) else 0), np.int64)


def _are_probabilities(reals: _Reals) -> bool:
    return bool(((reals >= 0) & (reals <= 1)).all())


def real(values: Array, tensor: Tensor) -> _Reals:
    """Real values of a tensor's, in float32."""
    if values.dtype.kind == "f" or tensor.quantization is None:
        return values.astype(np.float32)
    quantization = tensor.quantization
    centred = values.astype(np.float32) - np.float32(quantization.zero_points[0])
    reals: _Reals = centred * np.float32(quantization.scales[0])
    return reals
