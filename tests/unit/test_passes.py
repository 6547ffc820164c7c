"""Graph rewrites keep what the outputs depend on, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from unittest import mock

import numpy as np
import pytest

from microwright import passes
from microwright.graph import read
from microwright.ops import table
from microwright.passes import activations, constants, requantize
from tests.support.tflite_maker import Maker


def test_a_graph_without_waste_stays_as_it_is() -> None:
    m = Maker()
    axis = m.const([0], dtype="int32")
    x, y, z = (m.tensor((4,), scale=1.0) for _ in range(3))
    m.node("REVERSE_V2", [x, axis], [y])
    m.node("REVERSE_V2", [y, axis], [z])
    graph = read(m.build([x], [z]), "g")
    rewritten = passes.run(graph)
    assert rewritten.nodes == graph.nodes
    assert rewritten.tensors == graph.tensors


def test_nodes_that_no_output_depends_on_are_removed() -> None:
    m = Maker()
    axis = m.const([0], dtype="int32")
    x, y, z, waste, more_waste = (m.tensor((4,), scale=1.0) for _ in range(5))
    m.node("REVERSE_V2", [x, axis], [waste])
    m.node("REVERSE_V2", [x, axis], [y])
    m.node("REVERSE_V2", [waste, axis], [more_waste])
    m.node("REVERSE_V2", [y, axis], [z])
    graph = passes.run(read(m.build([x], [z]), "g"))
    assert [(node.index, node.inputs[0], node.outputs) for node in graph.nodes] == [
        (1, x, (y,)),
        (3, y, (z,)),
    ]
    assert (graph.inputs, graph.outputs) == ((x,), (z,))


def test_a_node_stays_for_any_of_its_outputs() -> None:
    m = Maker()
    x, first, second = (m.tensor((4,), scale=1.0) for _ in range(3))
    m.node("SPLIT", [x], [first, second])
    graph = passes.run(read(m.build([x], [second]), "g"))
    assert [node.outputs for node in graph.nodes] == [(first, second)]


def test_an_absent_optional_input_is_no_dependency() -> None:
    m = Maker()
    x, y = m.tensor((4,), scale=1.0), m.tensor((4,), scale=1.0)
    m.node("RELU", [x, -1], [y])
    assert len(passes.run(read(m.build([x], [y]), "g")).nodes) == 1


def test_every_pass_is_a_fixed_point() -> None:
    m = Maker()
    x, y, waste = (m.tensor((4,), scale=1.0) for _ in range(3))
    m.node("RELU", [x], [waste])
    m.node("RELU", [x], [y])
    graph = read(m.build([x], [y]), "g")
    for rewrite in passes.PASSES.values():
        once = rewrite(graph)
        assert rewrite(once).nodes == once.nodes


def calls_in_passes(layers: int) -> int:
    """Calls of functions of two passes, for sums with a ReLU and an idle node behind each of them."""
    m = Maker()
    first, other = (m.tensor((1, 4), scale=0.1) for _ in range(2))
    x = first
    for _ in range(layers):
        a, b, c = (m.tensor((1, 4), scale=0.1) for _ in range(3))
        m.node("ADD", [x, other], [a], fused_activation_function="NONE")
        m.node("RELU", [a], [b])
        m.node("QUANTIZE", [b], [c])
        x = c
    graph = read(m.build([first, other], [x]), "g")
    calls = 0

    def count(frame: FrameType, event: str, what: object) -> None:
        nonlocal calls
        calls += event == "call" and Path(frame.f_code.co_filename).parent.name == "passes"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        rewritten = requantize.run(activations.run(graph))
    finally:
        sys.setprofile(before)
    assert [node.op for node in rewritten.nodes] == ["ADD"] * layers
    return calls


def test_work_grows_as_the_model_does() -> None:
    few, more, most = (calls_in_passes(layers) for layers in (2, 4, 6))
    assert most - more == more - few


def test_a_node_is_lowered_twice_at_most_to_know_what_it_computes() -> None:
    m = Maker()
    x, y, z = m.const(np.arange(4, dtype=np.int8), scale=0.1), *(m.tensor((4,), scale=0.1) for _ in range(2))
    m.node("RELU", [x], [y])
    m.node("ADD", [y, z], [out := m.tensor((4,), scale=0.1)], fused_activation_function="NONE")
    graph = read(m.build([z], [out]), "g")
    with mock.patch.object(table, "step", wraps=table.step) as step:
        assert constants.values(graph, graph.nodes[0])[y].tolist() == [0, 1, 2, 3]
    assert step.call_count <= 2


def test_shapes_that_are_computed_need_no_kernels() -> None:
    """As Keras' Reshape and Flatten leave them where the batch is open."""
    m = Maker()
    x, y = m.tensor((1, 2, 3), scale=0.5), m.tensor((1, 6), scale=0.5)
    shape, batch, whole = (m.tensor(s, "int32") for s in ((3,), (), (2,)))
    m.node("SHAPE", [x], [shape])
    begin, end, one = (m.const([n], dtype="int32") for n in (0, 1, 1))
    m.node("STRIDED_SLICE", [shape, begin, end, one], [batch], shrink_axis_mask=1)
    m.node("PACK", [batch, m.const(6, dtype="int32")], [whole], axis=0, values_count=2)
    m.node("RESHAPE", [x, whole], [y])
    m.node("REVERSE_V2", [y, m.const([1], dtype="int32")], [m.tensor((1, 6), scale=0.5)])
    graph = passes.run(read(m.build([x], [m.nodes[-1].outputs[0]]), "flatten"))
    assert [node.op for node in graph.nodes] == ["RESHAPE", "REVERSE_V2"]


def test_constants_are_made_ahead_of_time() -> None:
    """What a shape or a constant becomes by FILL, and by operators that only move elements, of any type."""
    m = Maker()
    x, y = m.tensor((2, 3), scale=0.5), m.tensor((2, 3), scale=0.5)
    shape, swapped, dims = (m.tensor((2,), "int32") for _ in range(3))
    m.node("SHAPE", [x], [shape])
    m.node("REVERSE_V2", [shape, m.const([0], dtype="int32")], [swapped])
    m.node("GATHER", [swapped, m.const([1, 0], dtype="int32")], [dims], axis=0)
    filled = m.tensor((2, 3), scale=0.5)
    m.node("FILL", [dims, m.const(np.int8(7), scale=0.5)], [filled])
    m.node("MAXIMUM", [x, filled], [y])
    graph = passes.run(read(m.build([x], [y]), "filled"))
    assert [node.op for node in graph.nodes] == ["MAXIMUM"]
    values = graph.tensors[graph.nodes[0].inputs[1]].data
    assert values is not None
    assert values.tolist() == [[7] * 3] * 2


def test_ranges_and_shapes_of_constants_are_constants() -> None:
    m = Maker()
    x, y, z = m.tensor((6,), scale=0.5), m.tensor((3,), scale=0.5), m.tensor((2,), scale=0.5)
    numbers, shape = m.tensor((3,), "int32"), m.tensor((2,), "int32")
    m.node("RANGE", [m.const(np.int32(n)) for n in (4, -1, -2)], [numbers])
    m.node("BROADCAST_ARGS", [m.const(np.int32([3, 1])), m.const(np.int32([4]))], [shape])
    m.node("GATHER", [x, numbers], [y], axis=0)
    m.node("GATHER", [x, shape], [z], axis=0)
    graph = passes.run(read(m.build([x], [y, z]), "ranges"))
    assert [node.op for node in graph.nodes] == ["GATHER", "GATHER"]
    found = [graph.tensors[node.inputs[1]].data for node in graph.nodes]
    assert [None if values is None else values.tolist() for values in found] == [[4, 2, 0], [3, 4]]


@pytest.mark.parametrize("numbers", [(0, 4, 0), (0, 4, 1), (0, -4, 1), (2**31 - 1, -(2**31), -1)])
def test_a_range_of_another_length_is_left_alone(numbers: tuple[int, int, int]) -> None:
    m = Maker()
    y, z = m.tensor((3,), "int32"), m.tensor((3,), "int32")
    m.node("RANGE", [m.const(np.int32(n)) for n in numbers], [y])
    x = m.tensor((3,), "int32")
    m.node("ADD", [x, y], [z])
    graph = passes.run(read(m.build([x], [z]), "ranges"))
    assert [node.op for node in graph.nodes] == ["RANGE", "ADD"]
