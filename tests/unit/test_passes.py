"""Graph rewrites keep what the outputs depend on, and nothing else."""

from __future__ import annotations

from microwright import passes
from microwright.graph import read
from tests.support.tflite_maker import Maker


def test_a_graph_without_waste_stays_as_it_is() -> None:
    m = Maker()
    x, y, z = (m.tensor((4,), scale=1.0) for _ in range(3))
    m.node("RELU", [x], [y])
    m.node("RELU", [y], [z])
    graph = read(m.build([x], [z]), "g")
    rewritten = passes.run(graph)
    assert rewritten.nodes == graph.nodes
    assert rewritten.tensors == graph.tensors


def test_nodes_that_no_output_depends_on_are_removed() -> None:
    m = Maker()
    x, y, z, waste, more_waste = (m.tensor((4,), scale=1.0) for _ in range(5))
    m.node("RELU", [x], [waste])
    m.node("RELU", [x], [y])
    m.node("RELU", [waste], [more_waste])
    m.node("RELU", [y], [z])
    graph = passes.run(read(m.build([x], [z]), "g"))
    assert [(node.index, node.inputs, node.outputs) for node in graph.nodes] == [
        (1, (x,), (y,)),
        (3, (y,), (z,)),
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
