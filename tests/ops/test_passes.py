"""Rewritten graphs give the bytes of the graphs as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microwright import ops, passes
from microwright.graph import Graph, read
from microwright.passes import ranges
from tests.support.native import references
from tests.support.operands import assert_equal_on_random_data
from tests.support.random_graph import RandomGraph

# Of these graphs, every operator that can loses channels.
_FIRST_SEED = 1056


def _idle_graph(number: int) -> Graph:
    return RandomGraph(_FIRST_SEED + number, idle=0.4).build(nodes=4 + 2 * number)


@pytest.mark.parametrize("number", range(12))
def test_graphs_with_idle_channels(number: int) -> None:
    assert_equal_on_random_data(_idle_graph(number), seed=number)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(2000, 2300))
def test_many_graphs_with_idle_channels(seed: int) -> None:
    graph = RandomGraph(seed, idle=0.1 + seed % 7 / 10).build(nodes=3 + seed % 30)
    assert_equal_on_random_data(graph, seed=seed)


def test_the_default_graphs_lose_channels_in_every_operator() -> None:
    """The random graphs above are worth their time."""
    thinner: set[str] = set()
    for number in range(12):
        graph = _idle_graph(number)
        for applied in passes.apply(graph).applied:
            if applied.name == "channels":
                assert ops.macs(applied.after) < ops.macs(applied.before)
                thinner |= {
                    node.op
                    for node in applied.after.nodes
                    if _channels(applied.after, node.outputs[0]) < _channels(graph, node.outputs[0])
                }
    assert thinner >= {
        "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
        "MAX_POOL_2D", "MEAN", "MUL", "PAD", "QUANTIZE", "RELU", "RELU6",
    }  # fmt: skip


def _channels(graph: Graph, tensor: int) -> int:
    return graph.tensors[tensor].shape[-1]


@pytest.mark.parametrize("number", range(8))
def test_passes_find_nothing_more_the_second_time(number: int) -> None:
    graph = passes.run(_idle_graph(number))
    assert passes.apply(graph).applied == ()


@pytest.mark.parametrize("seed", range(8))
def test_bounds_of_one_input_are_the_outputs(seed: int) -> None:
    """The bounds' arithmetic is the kernels': of a single sample they are its outputs."""
    graph = RandomGraph(seed).build(nodes=4 + 2 * seed)
    rng = np.random.default_rng(seed)
    sample = [rng.integers(-128, 128, graph.tensors[i].shape, np.int8) for i in graph.inputs]
    tensors = list(graph.tensors)
    for index, values in zip(graph.inputs, sample, strict=True):
        tensors[index] = replace(tensors[index], data=values)
    bounds = ranges.of(replace(graph, tensors=tuple(tensors)))
    assert bounds is not None
    # Of a softmax there is only the full range.
    vague: set[int] = set()
    for node in graph.nodes:
        if node.op == "SOFTMAX" or vague.intersection(node.inputs):
            vague.update(node.outputs)
    for index, expected in zip(graph.outputs, references(graph.flatbuffer, [sample])[0], strict=True):
        low, high = bounds[index]
        if index not in vague:
            np.testing.assert_array_equal(low, expected)
            np.testing.assert_array_equal(high, expected)


@pytest.mark.parametrize("seed", range(16))
def test_outputs_lie_within_their_bounds(seed: int) -> None:
    graph = RandomGraph(seed, idle=0.3 * (seed % 2)).build(nodes=4 + 2 * seed)
    bounds = ranges.of(graph)
    assert bounds is not None
    rng = np.random.default_rng(seed)
    shapes = [graph.tensors[i].shape for i in graph.inputs]
    samples = [[rng.integers(-128, 128, shape, np.int8) for shape in shapes] for _ in range(4)]
    samples += [[np.full(shape, value, np.int8) for shape in shapes] for value in (-128, 127)]
    for outputs in references(graph.flatbuffer, samples):
        for index, expected in zip(graph.outputs, outputs, strict=True):
            low, high = bounds[index]
            assert (low <= expected).all() and (expected <= high).all()


def test_half_of_a_real_model_is_idle(shared_models: Path) -> None:
    """`vww` has filters that are all zero; its constants, and what they become, go with them."""
    model = read((shared_models / "vww.tflite").read_bytes(), "vww")
    graph = passes.run(model)
    assert ops.macs(model) == 7_489_664
    assert ops.macs(graph) == 3_727_313
    assert graph.weights_bytes < 0.16 * model.weights_bytes
