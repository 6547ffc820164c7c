"""What a model is run on: Data as the model's inputs take it, or random inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microwright import data as datas
from microwright.data import Data, Input
from microwright.errors import InputError
from microwright.graph import Array, Graph, Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """`inputs` has one tuple a sample, in it one array a model input, in the input's type and shape.

    `labels` are class indices of the first output, or None; `classes` their names, where they are known.
    """

    inputs: tuple[tuple[Array, ...], ...]
    labels: Array | None
    classes: tuple[str, ...] = ()


def inputs(graph: Graph) -> tuple[Input, ...]:
    """The inputs of a graph."""
    tensors = [graph.tensors[index] for index in graph.inputs]
    return tuple(
        Input(name, t.shape[1:] if t.shape[:1] == (1,) else t.shape)
        for name, t in zip(graph.input_names, tensors, strict=True)
    )


def of_data(graph: Graph, data: Data) -> Samples:
    """Samples of Data, real values quantised. Labels that are no class indices are left out.

    Raises InputError for data that does not fit the model's inputs and for classes that it does not have.
    """
    if len(data.inputs) < len(graph.inputs):
        raise InputError(
            f"{graph.name}: the data has {len(data.inputs)} inputs, the model {len(graph.inputs)}",
            "give one array per model input: x0, x1, ...",
        )
    arrays = [datas.to_input(graph, position, array) for position, array in enumerate(data.inputs)]
    inputs = tuple(tuple(array[i] for array in arrays) for i in range(data.samples))
    return Samples(inputs, _class_indices(graph, data.labels), data.classes)


def random(graph: Graph, count: int) -> Samples:
    """Random samples, the same each time: reals normally distributed, quantised integers over their range,
    indices (int32 and int64) 0 or 1, which almost any table has.
    """
    generator = np.random.default_rng(0)
    tensors = [graph.tensors[index] for index in graph.inputs]
    inputs = (tuple(_random(generator, tensor) for tensor in tensors) for _ in range(count))
    return Samples(tuple(inputs), None)


def _class_indices(graph: Graph, labels: Array | None) -> Array | None:
    if labels is None or labels.dtype.kind != "i":
        return None
    classes = max(graph.tensors[graph.outputs[0]].elements, 2)
    highest = int(labels.max())
    if highest >= classes:
        raise InputError(
            f"{graph.name}: y has the class {highest}, the model's classes are 0 to {classes - 1}",
            "give labels as indices of the model's output",
        )
    return labels


def _random(generator: np.random.Generator, tensor: Tensor) -> Array:
    kind = np.dtype(tensor.dtype)
    if kind.kind == "f":
        return generator.standard_normal(tensor.shape, dtype=np.float32)
    if kind.kind == "b" or tensor.dtype in ("int32", "int64"):
        return generator.integers(0, 2, tensor.shape).astype(kind)
    limits = np.iinfo(kind.name)
    array: Array = generator.integers(limits.min, limits.max, tensor.shape, dtype=kind.name, endpoint=True)
    return array
