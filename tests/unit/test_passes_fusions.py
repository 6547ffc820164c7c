"""What graph passes merge, and what they leave alone because it would not give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from microwright import ops, passes
from microwright.graph import Graph, read
from tests.support.tflite_maker import Maker

_WINDOW = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
_POOL = {**_WINDOW, "filter_height": 3, "filter_width": 3}


def padded(
    pads: Sequence[tuple[int, int]],
    op: str = "CONV_2D",
    *,
    zero_point: int = 5,
    value: int | None = None,
    stride: int = 1,
    size: int = 6,
) -> Graph:
    """A padding node before a 3x3 window of two channels."""
    m = Maker()
    quantization: dict[str, Any] = {"scale": 0.5, "zero_point": zero_point}
    shape = [1, size, size, 2]
    x = m.tensor(shape, **quantization)
    wide = [int(n) for n in np.array(shape) + np.sum(pads, axis=1)]
    y = m.tensor(wide, **quantization)
    operands = [x, m.const(np.array(pads, np.int32))]
    if value is not None:
        operands.append(m.const(np.array([value], np.int8), **quantization))
    m.node("PAD" if value is None else "PADV2", operands, [y])
    out = [wide[0], *((n - 3) // stride + 1 for n in wide[1:3]), 2]
    z = m.tensor(out, **quantization)
    strides = {"stride_h": stride, "stride_w": stride}
    if op == "CONV_2D":
        w = m.const(np.ones((2, 3, 3, wide[3]), np.int8), scales=[0.1])
        m.node(op, [y, w], [z], **{**_WINDOW, **strides})
    else:
        m.node(op, [y], [z], **{**_POOL, **strides})
    return read(m.build([x], [z]), "net")


@pytest.mark.parametrize(
    ("pads", "stride", "padding"),
    [
        ([(1, 1), (1, 1)], 1, "SAME"),
        ([(0, 1), (0, 1)], 2, "SAME"),
        ([(1, 1), (1, 1)], 2, "EXPLICIT"),
        ([(2, 0), (0, 2)], 1, "EXPLICIT"),
        ([(1, 0), (0, 0)], 1, "EXPLICIT"),
    ],
)
def test_a_convolution_pads_itself(pads: list[tuple[int, int]], stride: int, padding: str) -> None:
    given = padded([(0, 0), *pads, (0, 0)], stride=stride)
    graph = passes.run(given)
    (node,) = graph.nodes
    assert node.options["padding"] == padding
    assert node.inputs[0] == graph.inputs[0]
    (step,) = ops.get(node).lower(graph, node)
    assert (step.number("pad_top"), step.number("pad_left")) == (pads[0][0], pads[1][0])


@pytest.mark.parametrize(
    "graph",
    [
        padded([(0, 0), (3, 0), (0, 0), (0, 0)]),
        padded([(0, 0), (0, 0), (0, 3), (0, 0)]),
        padded([(1, 0), (1, 1), (1, 1), (0, 0)]),
        padded([(0, 0), (1, 1), (1, 1), (0, 1)]),
        padded([(0, 0), (1, 1), (1, 1), (0, 0)], value=6),
        padded([(0, 0), (1, 1), (1, 1), (0, 0)], "AVERAGE_POOL_2D"),
        padded([(0, 0), (1, 1), (1, 1), (0, 0)], "MAX_POOL_2D"),
    ],
    ids=["a window outside", "another", "batches", "channels", "not the zero point", "average", "maximum"],
)
def test_padding_that_a_window_cannot_do_stays(graph: Graph) -> None:
    assert passes.run(graph) is graph


def test_a_maximum_pads_itself_with_the_smallest_value() -> None:
    pads = [(0, 0), (1, 1), (1, 1), (0, 0)]
    for graph in (
        padded(pads, "MAX_POOL_2D", zero_point=-128),
        padded(pads, "MAX_POOL_2D", zero_point=5, value=-128),
    ):
        assert [node.op for node in passes.run(graph).nodes] == ["MAX_POOL_2D"]


def test_padding_with_other_readers_stays_for_them() -> None:
    graph = padded([(0, 0), (1, 1), (1, 1), (0, 0)])
    both = Graph(**{**vars(graph), "outputs": (*graph.outputs, graph.nodes[0].outputs[0])})
    rewritten = passes.run(both)
    assert [node.op for node in rewritten.nodes] == ["PAD", "CONV_2D"]
    assert rewritten.nodes[1].inputs[0] == graph.inputs[0]


def activated(fused: str, clamp: str, scale: float = 0.1, out_scale: float = 0.1) -> Graph:
    """A sum with a fused activation, and a ReLU behind it."""
    m = Maker()
    a, b = (m.tensor((1, 4), scale=0.05) for _ in range(2))
    y = m.tensor((1, 4), scale=scale, zero_point=-20)
    z = m.tensor((1, 4), scale=out_scale, zero_point=-20, name="clamped")
    m.node("ADD", [a, b], [y], fused_activation_function=fused)
    m.node(clamp, [y], [z])
    return read(m.build([a, b], [z]), "net")


@pytest.mark.parametrize(
    ("fused", "clamp", "activation"),
    [
        ("NONE", "RELU", "RELU"),
        ("NONE", "RELU6", "RELU6"),
        ("RELU", "RELU6", "RELU6"),
        ("RELU6", "RELU", "RELU6"),
        ("RELU", "RELU", "RELU"),
    ],
)
def test_a_layer_does_the_relu_behind_it(fused: str, clamp: str, activation: str) -> None:
    given = activated(fused, clamp)
    graph = passes.run(given)
    (node,) = graph.nodes
    assert node.options["fused_activation_function"] == activation
    assert (node.index, node.name, node.outputs) == (0, given.nodes[0].name, graph.outputs)


def test_a_relu_that_no_activation_expresses_stays() -> None:
    """-1 to 1 cut at 0, a ReLU that rescales, and one whose input is read by others."""
    for graph in (
        activated("RELU_N1_TO_1", "RELU"),
        activated("NONE", "RELU", out_scale=0.2),
    ):
        assert passes.run(graph) is graph
    graph = activated("NONE", "RELU")
    both = Graph(**{**vars(graph), "outputs": (*graph.outputs, graph.nodes[0].outputs[0])})
    assert passes.run(both) is both


def converted(scale: float, zero_point: int) -> Graph:
    """A tensor backwards, DEQUANTIZE, QUANTIZE to some scale and zero point, and forwards again."""
    m = Maker()
    x, y = (m.tensor((1, 4), scale=0.1, zero_point=3) for _ in range(2))
    real = m.tensor((1, 4), "float32")
    z, end = (m.tensor((1, 4), scale=scale, zero_point=zero_point) for _ in range(2))
    axis = m.const([1], dtype="int32")
    m.node("REVERSE_V2", [x, axis], [y])
    m.node("DEQUANTIZE", [y], [real])
    m.node("QUANTIZE", [real], [z])
    m.node("REVERSE_V2", [z, axis], [end])
    return read(m.build([x], [end]), "net")


def test_a_conversion_to_floats_and_back_goes() -> None:
    assert [node.index for node in passes.run(converted(0.1, 3)).nodes] == [0, 3]


def test_a_conversion_to_another_scale_becomes_one_node() -> None:
    found = [node.op for node in passes.run(converted(0.13, -4)).nodes]
    assert found == ["REVERSE_V2", "QUANTIZE", "REVERSE_V2"]


def test_a_conversion_that_rounds_otherwise_stays() -> None:
    """Half a step below zero: away from zero in floats, towards it in the integers of QUANTIZE."""
    graph = converted(0.2, -4)
    assert passes.run(graph) is graph


def test_a_quantize_to_the_same_scale_goes_from_inputs_and_outputs() -> None:
    m = Maker()
    a, b, c, d = (m.tensor((1, 4), scale=0.1, zero_point=3) for _ in range(4))
    m.node("QUANTIZE", [a], [b])
    m.node("RELU", [b], [c])
    m.node("QUANTIZE", [c], [d])
    graph = passes.run(read(m.build([a], [d]), "net"))
    assert [(node.op, node.inputs, node.outputs) for node in graph.nodes] == [("RELU", (a,), (d,))]
    assert (graph.inputs, graph.outputs) == ((a,), (d,))


def test_a_node_between_an_input_and_an_output_stays() -> None:
    m = Maker()
    a, b = (m.tensor((1, 4), scale=0.1, zero_point=3) for _ in range(2))
    m.node("QUANTIZE", [a], [b])
    graph = read(m.build([a], [b]), "net")
    assert passes.run(graph) is graph


def test_several_idle_nodes_in_a_row_go() -> None:
    m = Maker()
    chain = [m.tensor((1, 4), scale=0.1, zero_point=3) for _ in range(6)]
    for x, y in pairwise(chain[:5]):
        m.node("QUANTIZE", [x], [y])
    m.node("RELU", [chain[4]], [chain[5]])
    graph = passes.run(read(m.build(chain[:1], chain[5:]), "net"))
    assert [(node.inputs, node.outputs) for node in graph.nodes] == [((chain[0],), (chain[5],))]


def test_reshapes_before_a_fully_connected_layer_go() -> None:
    m = Maker()
    x, y, z = (m.tensor(shape, scale=0.1) for shape in ((1, 2, 2, 3), (4, 3), (1, 12)))
    m.node("RESHAPE", [x, m.const(np.array([4, 3], np.int32))], [y])
    m.node("RESHAPE", [y, m.const(np.array([1, 12], np.int32))], [z])
    end = m.tensor((1, 2), scale=0.1)
    m.node("FULLY_CONNECTED", [z, m.const(np.ones((2, 12), np.int8), scales=[0.1])], [end])
    graph = passes.run(read(m.build([x], [end]), "net"))
    assert [(node.index, node.inputs[0]) for node in graph.nodes] == [(2, x)]


def test_a_reshape_that_somebody_sees_stays() -> None:
    m = Maker()
    x, y = m.tensor((1, 2, 2, 3), scale=0.1), m.tensor((1, 12), scale=0.1)
    m.node("RESHAPE", [x, m.const(np.array([1, 12], np.int32))], [y])
    graph = read(m.build([x], [y]), "net")
    assert passes.run(graph) is graph


def test_a_reshape_to_other_values_stays() -> None:
    """A file may give both sides of a reshape different scales: the bytes stay, their meaning does not."""
    m = Maker()
    x, y, end = m.tensor((1, 2, 6), scale=0.1), m.tensor((1, 12), scale=0.2), m.tensor((1, 2), scale=0.1)
    m.node("RESHAPE", [x, m.const(np.array([1, 12], np.int32))], [y])
    m.node("FULLY_CONNECTED", [y, m.const(np.ones((2, 12), np.int8), scales=[0.1])], [end])
    graph = read(m.build([x], [end]), "net")
    assert passes.run(graph) is graph


def sum_of_constants(shape: tuple[int, ...], output: bool) -> Graph:
    m = Maker()
    a = m.const(np.full((1, 3), 30, np.int8), scale=0.5)
    b = m.const(np.full(shape, 10, np.int8), scale=0.5)
    total = m.tensor(np.broadcast_shapes((1, 3), shape), scale=0.5)
    m.node("ADD", [a, b], [total])
    x, y = (m.tensor(m.tensors[total].shape, scale=0.5) for _ in range(2))
    m.node("ADD", [x, total], [y])
    return read(m.build([x], [total, y] if output else [y]), "net")


def test_what_is_computed_from_constants_is_a_constant() -> None:
    graph = passes.run(sum_of_constants((1, 3), output=False))
    (node,) = graph.nodes
    data = graph.tensors[node.inputs[1]].data
    assert data is not None
    assert data.tolist() == [[40, 40, 40]]


def test_a_constant_output_and_a_large_constant_are_computed() -> None:
    graph = sum_of_constants((1, 3), output=True)
    assert passes.run(graph) is graph
    graph = sum_of_constants((500, 1), output=False)
    assert passes.run(graph) is graph
