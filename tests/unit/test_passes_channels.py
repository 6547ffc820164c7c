"""Channels that are constant, or that no output depends on, are gone; the rest computes what it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from microwright import board as boards
from microwright import ops, passes, project, report
from microwright.graph import Graph, read
from microwright.latency import Latency
from microwright.measure import LayerLatency, Measurement
from microwright.ops.fixed_point import requantize
from microwright.ops.quantized import Multiplier
from microwright.passes import ranges
from microwright.project import Project
from tests.support.firmware import NO_FOOTPRINT
from tests.support.tflite_maker import Maker

Bias = Sequence[int] | npt.NDArray[np.int32]
SCALE = 0.5
ZP = -3
_SAME = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


class Net:
    """Layers in a row on int8 images; all activations have scale 0.5 and zero point -3."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.maker = Maker()
        self.input = self.last = self.tensor(shape)

    def tensor(self, shape: Sequence[int]) -> int:
        return self.maker.tensor(shape, scale=SCALE, zero_point=ZP)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self.maker.tensors[tensor].shape

    def conv(
        self, weights: npt.ArrayLike, bias: Bias | None, *, x: int | None = None, op: str = "CONV_2D"
    ) -> int:
        """A convolution that keeps height and width."""
        w = np.asarray(weights, np.int8)
        x = self.last if x is None else x
        depthwise = op == "DEPTHWISE_CONV_2D"
        channels = w.shape[3 if depthwise else 0]
        operands = [x, self.maker.const(w, scales=[SCALE] * channels, axis=3 if depthwise else 0)]
        if bias is not None:
            operands.append(self.maker.const(np.asarray(bias, np.int32), scales=[SCALE * SCALE] * channels))
        y = self.tensor((*self.shape(x)[:3], channels))
        options = {**_SAME, "depth_multiplier": channels // self.shape(x)[3]} if depthwise else _SAME
        self.maker.node(op, operands, [y], **options, fused_activation_function="RELU")
        self.last = y
        return y

    def depthwise(self, weights: npt.ArrayLike, bias: Bias | None) -> int:
        return self.conv(weights, bias, op="DEPTHWISE_CONV_2D")

    def node(self, op: str, inputs: Sequence[int], shape: Sequence[int], **options: Any) -> int:
        self.last = self.tensor(shape)
        self.maker.node(op, inputs, [self.last], **options)
        return self.last

    def graph(self, *outputs: int) -> Graph:
        return read(self.maker.build([self.input], list(outputs) or [self.last]), "net")


def ones(*shape: int) -> npt.NDArray[np.int8]:
    return np.ones(shape, np.int8)


def without(weights: npt.NDArray[np.int8], *outputs: int) -> npt.NDArray[np.int8]:
    """Weights [outputs, ...] of which some outputs are zero."""
    copy = weights.copy()
    copy[list(outputs)] = 0
    return copy


def widths(graph: Graph) -> list[int]:
    """Channels of each node's output."""
    return [graph.tensors[node.outputs[0]].shape[-1] for node in graph.nodes]


def constant(graph: Graph, node: int, position: int) -> npt.NDArray[np.int64]:
    data = graph.tensors[graph.nodes[node].inputs[position]].data
    assert data is not None
    return data.astype(np.int64)


def test_a_channel_at_the_zero_point_goes_through_padded_layers() -> None:
    net = Net((1, 4, 4, 2))
    net.conv(without(ones(3, 1, 1, 2), 1), [5, -9, 5])
    net.depthwise(np.arange(27).reshape(1, 3, 3, 3), [1, 0, 3])
    w = np.arange(108).reshape(4, 3, 3, 3) % 100
    net.conv(w, [1, 2, 3, 4])
    graph = passes.run(net.graph())
    assert widths(graph) == [2, 2, 4]
    np.testing.assert_array_equal(constant(graph, 0, 1), ones(2, 1, 1, 2))
    np.testing.assert_array_equal(constant(graph, 0, 2), [5, 5])
    np.testing.assert_array_equal(constant(graph, 1, 2), [1, 3])
    np.testing.assert_array_equal(constant(graph, 2, 1), w[..., [0, 2]])
    np.testing.assert_array_equal(constant(graph, 2, 2), [1, 2, 3, 4])


def test_another_constant_goes_into_the_bias() -> None:
    net = Net((1, 4, 4, 2))
    net.conv(without(ones(3, 1, 1, 2), 1), [5, 40, 5])
    value = requantize(40, Multiplier(1 << 30, 0))
    w = np.array([[1, 2, 3], [4, 5, 6]]).reshape(2, 1, 1, 3)
    net.conv(w, [7, 8])
    graph = passes.run(net.graph())
    assert widths(graph) == [2, 2]
    np.testing.assert_array_equal(constant(graph, 1, 2), [7 + 2 * value, 8 + 5 * value])


def test_a_bias_is_made_where_there_was_none() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(without(ones(2, 1, 1, 2), 0), [40, 0])
    net.conv(ones(2, 1, 1, 2), None)
    graph = passes.run(net.graph())
    np.testing.assert_array_equal(constant(graph, 1, 2), [20, 20])


def test_a_constant_that_ends_at_the_border_stays() -> None:
    net = Net((1, 4, 4, 2))
    net.conv(without(ones(2, 1, 1, 2), 1), [5, 40])
    net.depthwise(ones(1, 3, 3, 2), [0, 0])
    net.conv(ones(2, 1, 1, 2), [0, 0])
    assert widths(passes.run(net.graph())) == [2, 2, 2]
    net = Net((1, 4, 4, 2))
    net.conv(without(ones(2, 1, 1, 2), 1), [5, 40])
    net.conv(ones(2, 3, 3, 2), [0, 0])
    assert widths(passes.run(net.graph())) == [2, 2]


@pytest.mark.parametrize("pads", [[(1, 0), (0, 0)], [(0, 0), (1, 0)], [(0, 1), (0, 0)], [(0, 0), (0, 1)]])
def test_a_constant_stays_where_one_side_is_padded(pads: list[tuple[int, int]]) -> None:
    net = Net((1, 4, 4, 2))
    x = net.conv(without(ones(2, 1, 1, 2), 1), [5, 40])
    (above, below), (left, right) = pads
    shape = (1, 4 + above + below, 4 + left + right, 2)
    paddings = net.maker.const(np.array([(0, 0), *pads, (0, 0)], np.int32))
    y = net.node("PAD", [x, paddings], shape)
    z = net.tensor((1, shape[1] - 1, shape[2] - 1, 2))
    w = net.maker.const(ones(2, 2, 2, 2), scales=[SCALE])
    net.maker.node("CONV_2D", [y, w], [z], padding="VALID", stride_h=1, stride_w=1)
    graph = passes.run(net.graph(z))
    assert [node.op for node in graph.nodes] == ["CONV_2D", "CONV_2D"]
    assert widths(graph) == [2, 2]


def test_a_channel_whose_rescaling_wraps_is_not_taken_for_constant() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(without(ones(2, 1, 1, 2), 1), [0, 5000])
    net.conv(ones(2, 1, 1, 2), [0, 0])
    net.maker.tensors[net.maker.nodes[0].inputs[1]].scales = (0.5, 2.0**20)
    assert widths(passes.run(net.graph())) == [2, 2]
    net.maker.tensors[net.maker.nodes[0].inputs[1]].scales = (0.5, 2.0)
    assert widths(passes.run(net.graph())) == [1, 2]


def test_an_unread_channel_goes_back_through_all_that_it_is_computed_by() -> None:
    net = Net((1, 4, 4, 2))
    net.conv(ones(3, 3, 3, 2), [0, 0, 0])
    net.depthwise(ones(1, 3, 3, 3), [0, 0, 0])
    w = np.arange(1, 7).reshape(2, 1, 1, 3)
    w[..., 2] = 0
    net.conv(w, [0, 0])
    graph = passes.run(net.graph())
    assert widths(graph) == [2, 2, 2]
    np.testing.assert_array_equal(constant(graph, 2, 1).reshape(2, 2), [[1, 2], [4, 5]])


def test_a_channel_is_constant_where_it_always_saturates() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(ones(2, 1, 1, 2), [0, -100_000])
    net.conv(ones(2, 1, 1, 2), [0, 0])
    assert widths(passes.run(net.graph())) == [1, 2]
    net = Net((1, 2, 2, 2))
    net.conv(ones(2, 1, 1, 2), [0, -200])
    net.conv(ones(2, 1, 1, 2), [0, 0])
    assert widths(passes.run(net.graph())) == [2, 2]


def test_a_reader_that_needs_the_channel_keeps_it_for_all() -> None:
    net = Net((1, 2, 2, 2))
    x = net.conv(without(ones(3, 1, 1, 2), 1), [0, 0, 0])
    a = net.conv(ones(2, 1, 1, 3), [0, 0], x=x)
    assert widths(passes.run(net.graph(a))) == [2, 2]
    assert widths(passes.run(net.graph(a, x))) == [3, 2]


def test_layers_that_work_by_channel_lose_it_too() -> None:
    net = Net((1, 4, 4, 2))
    a = net.conv(without(ones(4, 1, 1, 2), 0), [0, 0, 0, 0])
    b = net.conv(without(ones(4, 3, 3, 2), 0), [9, 0, 0, 0], x=net.input)
    net.node("ADD", [a, b], (1, 4, 4, 4), fused_activation_function="NONE")
    scale = net.maker.const(np.arange(4, dtype=np.int8), scale=SCALE, zero_point=ZP)
    net.node("MUL", [net.last, scale], (1, 4, 4, 4), fused_activation_function="NONE")
    total = net.node("CONCATENATION", [net.last, a], (1, 4, 4, 8), axis=3)
    paddings = net.maker.const(np.array([(0, 0), (1, 1), (0, 0), (0, 0)], np.int32))
    net.node("PAD", [total, paddings], (1, 6, 4, 8))
    window = {"padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
    net.node("MAX_POOL_2D", [net.last], (1, 3, 2, 8), **window)
    shape = net.maker.const(np.array([1, 48], np.int32))
    net.node("RESHAPE", [net.last, shape], (1, 48))
    w = np.ones((3, 48), np.int8)
    # Nobody reads the channel that the sum of constants has become.
    w[:, ::8] = 0
    net.node("FULLY_CONNECTED", [net.last, net.maker.const(w, scales=[SCALE])], (1, 3))
    graph = passes.run(net.graph())
    assert widths(graph) == [3, 3, 3, 3, 6, 6, 6, 3]
    assert constant(graph, 3, 1).tolist() == [1, 2, 3]
    assert constant(graph, 7, 1).shape == (3, 36)


def test_a_tensor_keeps_one_channel() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(np.zeros((3, 1, 1, 2)), [0, 0, 0])
    net.conv(ones(2, 1, 1, 3), [0, 0])
    assert widths(passes.run(net.graph())) == [1, 2]


def test_constants_that_others_read_too_are_copied() -> None:
    net = Net((1, 2, 2, 2))
    x = net.conv(without(ones(2, 1, 1, 2), 1), [0, 0])
    y = net.conv(ones(2, 1, 1, 2), None)
    # A layer with the same weights whose input keeps all channels.
    other = net.tensor((1, 2, 2, 2))
    net.maker.node("CONV_2D", [net.input, net.maker.nodes[1].inputs[1]], [other], **_SAME)
    given = net.graph(y, other)
    graph = passes.run(given)
    assert widths(graph) == [1, 2, 2]
    assert constant(graph, 1, 1).shape == (2, 1, 1, 1)
    assert constant(graph, 2, 1).shape == (2, 1, 1, 2)
    assert given.tensors[x].shape == (1, 2, 2, 2)
    assert (graph.inputs, graph.outputs, graph.flatbuffer) == (given.inputs, given.outputs, given.flatbuffer)


def test_scales_of_the_weights_go_with_their_channels() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(without(ones(3, 1, 1, 2), 1), [0, 0, 0])
    net.maker.tensors[net.maker.nodes[0].inputs[1]].scales = (0.1, 0.2, 0.3)
    net.conv(ones(2, 1, 1, 3), [0, 0])
    graph = passes.run(net.graph())
    quantization = graph.tensors[graph.nodes[0].inputs[1]].quantization
    assert quantization is not None
    np.testing.assert_allclose(quantization.scales, [0.1, 0.3], rtol=1e-6)
    ops.check(graph)


def test_a_bias_at_the_limit_takes_the_constants() -> None:
    """No accumulator leaves 32 bits afterwards if none did before."""
    net = Net((1, 1, 1, 2))
    net.conv(without(ones(2, 1, 1, 2), 1), [0, 10_000])
    most = 2**31 - 1 - 2 * 127 * 130
    net.conv(np.full((1, 1, 1, 2), 127), [most])
    graph = passes.run(net.graph())
    assert widths(graph) == [1, 1]
    assert constant(graph, 1, 2).tolist() == [most + 127 * 130]
    ops.check(graph)


def test_grouped_convolutions_keep_all_channels() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(without(ones(4, 1, 1, 2), 1), [0, 0, 0, 0])
    net.conv(ones(4, 1, 2, 2), [0, 0, 0, 0])
    net.conv(ones(2, 1, 1, 4), [0, 0])
    assert widths(passes.run(net.graph())) == [4, 4, 2]


def test_a_graph_too_large_to_judge_stays_as_it_is() -> None:
    net = Net((1, 4096, 4096, 1))
    net.conv(without(ones(2, 1, 1, 1), 1), [0, 0])
    net.conv(ones(1, 1, 1, 2), [0])
    graph = net.graph()
    assert ranges.of(graph) is None
    assert passes.run(graph) is graph


def test_a_graph_that_the_engine_refuses_stays_as_it_is() -> None:
    net = Net((1, 2, 2, 2))
    net.conv(without(ones(2, 1, 1, 2), 1), [0, 0])
    net.conv(ones(2, 1, 1, 2), [0, 0])
    net.node("TANH", [net.last], (1, 2, 2, 2))
    graph = net.graph()
    assert passes.run(graph) is graph


def test_the_report_tells_of_the_model_as_given(tmp_path: Path) -> None:
    net = Net((1, 2, 2, 2))
    net.node("RELU6", [net.input], (1, 2, 2, 2))
    net.node("RESHAPE", [net.last, net.maker.const(np.array([1, 2, 2, 2], np.int32))], (1, 2, 2, 2))
    net.conv(without(ones(3, 1, 1, 2), 1), [0, 0, 0])
    net.conv(ones(2, 1, 1, 3), [0, 0])
    model = net.graph()
    made = project.create(tmp_path / "project", model, boards.load("host"))
    assert widths(made.graph) == [2, 2, 2]
    made_report = report.make(
        image(made),
        Measurement(
            outputs=(),
            latency=Latency("emulated", "instructions", (6,)),
            layers=tuple(LayerLatency(position, position + 1) for position in range(3)),
            stack_bytes=None,
            stack_peak_bytes=None,
            arena_peak_bytes=None,
            hello={},
        ),
        None,
        None,
    )
    assert (made_report.model.macs, made_report.model.weights_bytes) == (48, model.weights_bytes)
    assert [(layer.index, layer.op, layer.macs, layer.latency) for layer in made_report.layers] == [
        (0, "RELU6", 0, 1),
        (2, "CONV_2D", 24, 2),
        (3, "CONV_2D", 24, 3),
    ]


def image(made: Project) -> Any:
    """What a report reads of an image."""
    return SimpleNamespace(
        project=made,
        toolchain="gcc",
        static_ram_bytes=0,
        code_bytes=0,
        weights_bytes=0,
        flash_total_bytes=0,
        footprint=NO_FOOTPRINT,
    )
