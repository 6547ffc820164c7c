"""Operators of int16 with int8 weights and of float32 against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from microwright.graph import Array, DType, Graph
from tests.support import types
from tests.support.layers import Layers
from tests.support.native import assert_equal_to_reference
from tests.support.operands import random_data
from tests.support.types import Add

_COUNT = 12


def _graph(add: Add, dtype: DType, seed: int, count: int = _COUNT) -> Graph:
    rng = np.random.default_rng(seed)
    made = Layers()
    for _ in range(count):
        add(made, rng, dtype)
    return made.graph()


def _samples(graph: Graph, seed: int) -> list[tuple[Array, ...]]:
    """The ends of the range, random values, and for floats such as are usual behind a layer."""
    rng = np.random.default_rng(seed)
    tensors = [graph.tensors[i] for i in graph.inputs]
    kind = np.dtype(tensors[0].dtype)
    ends = (-np.inf, np.inf) if kind.kind == "f" else (np.iinfo(kind.name).min, np.iinfo(kind.name).max)
    samples = [tuple(np.full(t.shape, end, kind) for t in tensors) for end in ends]
    samples += [tuple(random_data(rng, t.shape, t.dtype) for t in tensors) for _ in range(2)]
    if kind.kind == "f":
        samples.append(tuple(rng.normal(size=t.shape).astype(kind) for t in tensors))
    return samples


@pytest.mark.parametrize("dtype", ("int16", "float32"))
@pytest.mark.parametrize("op", types.EXACT)
def test_random_layers(op: str, dtype: DType) -> None:
    graph = _graph(types.EXACT[op], dtype, seed=1)
    assert_equal_to_reference(graph, _samples(graph, seed=2))


@pytest.mark.parametrize("op", types.EXPONENTIAL)
def test_exponentials_of_int16(op: str) -> None:
    graph = _graph(types.EXPONENTIAL[op], "int16", seed=1)
    assert_equal_to_reference(graph, _samples(graph, seed=2))
