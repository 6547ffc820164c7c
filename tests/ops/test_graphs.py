"""Random whole graphs against TensorFlow Lite Micro.

What a single layer cannot show: tensors that share memory, that live on while others come and go, or that are
outputs and operands at once.
"""

from __future__ import annotations

import pytest

from microwright import ops
from tests.support.operands import assert_equal_on_random_data
from tests.support.random_graph import RandomGraph


@pytest.mark.parametrize("seed", range(10))
def test_random_graphs(seed: int) -> None:
    graph = RandomGraph(seed).build(nodes=4 + 2 * seed)
    assert_equal_on_random_data(graph, seed=seed)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1000, 1150))
def test_many_random_graphs(seed: int) -> None:
    graph = RandomGraph(seed).build(nodes=3 + seed % 30)
    assert_equal_on_random_data(graph, seed=seed)


def test_operators_name_their_kernels() -> None:
    for graph in (RandomGraph(seed).build(nodes=4 + 2 * seed) for seed in range(10)):
        for node in graph.nodes:
            op = ops.get(node)
            assert set(op.kernels) >= {step.kernel for step in op.lower(graph, node)}


def test_the_default_graphs_have_everything() -> None:
    graphs = [RandomGraph(seed).build(nodes=4 + 2 * seed) for seed in range(10)]
    found = {node.op for graph in graphs for node in graph.nodes}
    assert found == {
        "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
        "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PAD", "PRELU",
        "QUANTIZE", "RELU", "RELU6", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "SPLIT",
        "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE",
    }  # fmt: skip
    assert any(len(graph.inputs) > 1 for graph in graphs)
    assert any(len(graph.outputs) > 1 for graph in graphs)
    edges = [(graph, node, i) for graph in graphs for node in graph.nodes for i in node.inputs]
    assert any(i in graph.outputs for graph, _, i in edges)
    assert any(
        i in graph.inputs and node.outputs[0] in graph.outputs
        for graph, node, i in edges
        if node.op == "RESHAPE"
    )
