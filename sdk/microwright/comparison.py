"""Two models on the same samples: how far they say the same. A float model and its int8 form, for example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from microwright import accuracy, load, samples, verify
from microwright import graph as graphs
from microwright.data import Data, Input
from microwright.errors import InputError, ToolMissing
from microwright.graph import Array, Graph
from microwright.load import Model
from microwright.progress import Progress, silent

_Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClassScore:
    """How many of the samples of a class each model gets right. `name` is empty where none is known."""

    index: int
    name: str
    samples: int
    correct: int
    other_correct: int


@dataclass(frozen=True)
class OutputDifference:
    """How far two models differ in an output, in real values; `name` is the first model's."""

    name: str
    max_difference: float
    mean_difference: float


@dataclass(frozen=True)
class Comparison:
    """How far two models agree on `samples` samples, in real values of the first model's first output;
    `outputs` has the differences of each.

    `same_class` counts the samples that both put into the same class. The accuracies are 0 to 1, None
    without labels. `classes` are those that the labels have.
    """

    samples: int
    same_class: int
    max_difference: float
    mean_difference: float
    accuracy: float | None
    other_accuracy: float | None
    classes: tuple[ClassScore, ...]
    outputs: tuple[OutputDifference, ...]


def compare(
    model: Model, other: Model, data: Data | None, random_inputs: int = 20, *, progress: Progress = silent
) -> Comparison:
    """Run both models on the data's real values, or on random inputs of the one that is a `.tflite`.

    A `.tflite` runs on the reference interpreter, a Keras model on TensorFlow. The data is in the order of
    the first model's inputs. Inputs and outputs of the two are paired by their names, where both models have
    the same, or else in their order. Raises InputError where the data or the outputs do not fit, ToolMissing
    where what runs a model is not installed.
    """
    data = data if data is not None else random_data(model, other, random_inputs)
    ones = _reals(model, data, progress)
    twos = _reals(other, _arranged(data, model, other), progress)
    if set(ones) == set(twos):
        twos = {name: twos[name] for name in ones}
    outputs = [
        _difference(model, other, name, one, two)
        for (name, one), two in zip(ones.items(), twos.values(), strict=False)
    ]
    one, two = next(iter(ones.values())), next(iter(twos.values()))
    labels = data.labels if data.labels is not None and data.labels.dtype.kind == "i" else None
    last = max(one.shape[1], 2) - 1
    if labels is not None and int(labels.max()) > last:
        raise InputError(
            f"{model.path}: y has the class {labels.max()}, the model's classes are 0 to {last}",
            "give labels as indices of the model's output",
        )
    classes, other_classes = accuracy.classes(one), accuracy.classes(two)
    return Comparison(
        samples=data.samples,
        same_class=int(np.count_nonzero(classes == other_classes)),
        max_difference=outputs[0].max_difference,
        mean_difference=outputs[0].mean_difference,
        accuracy=None if labels is None else float(np.mean(classes == labels)),
        other_accuracy=None if labels is None else float(np.mean(other_classes == labels)),
        classes=() if labels is None else _scores(labels, classes, other_classes, data.classes),
        outputs=tuple(outputs),
    )


def _difference(model: Model, other: Model, name: str, one: _Reals, two: _Reals) -> OutputDifference:
    if one.shape != two.shape:
        raise InputError(
            f"{model.path} has {one.shape[1]} values in the output {name[:80]!r}, "
            f"{other.path} has {two.shape[1]}",
            "compare models of the same task",
        )
    difference = np.abs(one.astype(np.float64) - two)
    return OutputDifference(name, float(difference.max()), float(difference.mean()))


def _scores(
    labels: Array, classes: Array, other_classes: Array, names: tuple[str, ...]
) -> tuple[ClassScore, ...]:
    return tuple(
        ClassScore(
            index,
            names[index] if index < len(names) else "",
            int(of_class.sum()),
            int((classes[of_class] == index).sum()),
            int((other_classes[of_class] == index).sum()),
        )
        for index in np.unique(labels).tolist()
        for of_class in [labels == index]
    )


def _arranged(data: Data, model: Model, other: Model) -> Data:
    """Data in the order of a model's inputs, as another model takes it."""
    names, others = ([each.name for each in inputs(one)] for one in (model, other))
    if sorted(names) != sorted(others) or len(data.inputs) != len(names):
        return data
    return Data(tuple(data.inputs[names.index(name)] for name in others), data.labels, data.classes)


def inputs(model: Model) -> tuple[Input, ...]:
    """The inputs of a model of any kind."""
    graph = graph_of(model)
    return load.inputs(model) if graph is None else samples.inputs(graph)


def graph_of(model: Model) -> Graph | None:
    """The graph of a `.tflite`, None for a Keras model."""
    return None if model.flatbuffer is None else graphs.read(model.flatbuffer, model.name)


def model_of(graph: Graph) -> Model:
    """A graph as one of the models to compare."""
    return Model(Path(f"{graph.name}.tflite"), graph.name, graph.sha256, "tflite", None, graph.flatbuffer)


def require_reference(graph: Graph) -> verify.Reference:
    """The reference interpreter with a graph. Raises ToolMissing where none is installed."""
    judge = verify.reference(graph)
    if judge is None:
        raise ToolMissing(
            "no reference interpreter is installed: neither tflite_micro nor ai-edge-litert",
            "pip install 'microwright[verify]', or 'microwright[litert]' where tflite_micro has no wheel",
        )
    return judge


def run_reference(
    judge: verify.Reference, inputs: Sequence[tuple[Array, ...]], progress: Progress = silent
) -> list[tuple[Array, ...]]:
    """Outputs of the reference interpreter, one tuple a sample, from its reset on.

    Raises InputError where it fails.
    """
    judge.reset()
    outputs: list[tuple[Array, ...]] = []
    for sample in inputs:
        progress("run the reference", len(outputs), len(inputs))
        outputs.append(judge.run(sample))
    progress("run the reference", len(inputs), len(inputs))
    return outputs


def random_data(model: Model, other: Model, count: int) -> Data:
    """Random inputs of the model that is a `.tflite`, as real values, in the order of the first's inputs.

    Raises InputError where neither is.
    """
    for each in (model, other):
        if each.flatbuffer is not None:
            graph = graphs.read(each.flatbuffer, each.name)
            drawn = samples.random(graph, count).inputs
            tensors = [graph.tensors[index] for index in graph.inputs]
            arrays = [np.stack([sample[i] for sample in drawn]) for i in range(len(tensors))]
            reals = tuple(accuracy.real(array, tensor) for array, tensor in zip(arrays, tensors, strict=True))
            made = Data(
                tuple(r[:, 0] if t.shape[:1] == (1,) else r for r, t in zip(reals, tensors, strict=True)),
                None,
            )
            return _arranged(made, each, model)
    raise InputError("two Keras models have no range to draw random inputs from", "give samples with --data")


def _reals(model: Model, data: Data, progress: Progress) -> dict[str, _Reals]:
    """Each output by its name: (samples, elements), as real values."""
    if model.flatbuffer is None:
        outputs = [np.asarray(output, np.float32) for output in load.predict(model, data)]
        names = load.output_names(model, len(outputs))
    else:
        graph = graphs.read(model.flatbuffer, model.name)
        inputs = samples.of_data(graph, Data(data.inputs, None)).inputs
        computed = run_reference(require_reference(graph), inputs, progress)
        tensors = [graph.tensors[index] for index in graph.outputs]
        outputs = [
            accuracy.real(np.stack(each), tensor)
            for each, tensor in zip(zip(*computed, strict=True), tensors, strict=True)
        ]
        names = graph.output_names
    return {name: output.reshape(data.samples, -1) for name, output in zip(names, outputs, strict=True)}
