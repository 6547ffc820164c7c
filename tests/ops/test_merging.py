"""Constant channels before padded layers: fewer of them, and the bytes of the graph as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microwright import ops, passes
from microwright.graph import Graph, read
from microwright.passes import ranges
from tests.support import layers
from tests.support.layers import Rng, pick
from tests.support.native import references
from tests.support.operands import assert_equal_on_random_data
from tests.support.tflite_maker import Maker

# What may stand between the layer with the constant channels and the padded one.
BETWEEN = ("nothing", "MAX_POOL_2D", "AVERAGE_POOL_2D", "ADD", "CONCATENATION", "DEPTHWISE_CONV_2D")


class Net:
    """A layer of which some channels are constant, then `between`, then padded convolutions; all ReLU."""

    def __init__(self, seed: int, between: str, constants: int, readers: int = 1, varying: int = 3) -> None:
        self.rng: Rng = np.random.default_rng(seed)
        self.maker = Maker()
        self.varying = varying
        self.zp = layers.zero_point(self.rng)
        self.size = (int(self.rng.integers(3, 8)), int(self.rng.integers(3, 8)))
        x = self.tensor((1, *self.size, 3))
        y = self.constant_channels(x, constants)
        if between.endswith("POOL_2D"):
            y = self.node(between, [y], (1, *self.size, self.channels(y)), filter_height=3, filter_width=2)
        elif between == "ADD":
            operands = [y, self.constant_channels(x, constants)]
            y = self.tensor((1, *self.size, self.channels(y)))
            self.maker.node("ADD", operands, [y], fused_activation_function="NONE")
        elif between == "CONCATENATION":
            operands = [y, self.constant_channels(x, constants)]
            y = self.tensor((1, *self.size, 2 * self.channels(y)))
            self.maker.node("CONCATENATION", operands, [y], axis=3)
        elif between == "DEPTHWISE_CONV_2D":
            channels = self.channels(y)
            w = self.weights((1, 1, 1, channels), 3)
            y = self.node(between, [y, w], (1, *self.size, channels), depth_multiplier=1)
        outputs = [self.padded(y) for _ in range(readers)]
        self.graph: Graph = read(self.maker.build([x], outputs), "net")

    def tensor(self, shape: tuple[int, ...], scale: float = 0.5) -> int:
        return self.maker.tensor(shape, scale=scale, zero_point=self.zp)

    def channels(self, tensor: int) -> int:
        return int(self.maker.tensors[tensor].shape[-1])

    def node(
        self, op: str, operands: list[int], shape: tuple[int, ...], scale: float = 0.5, **options: object
    ) -> int:
        y = self.tensor(shape, scale)
        stride = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
        self.maker.node(op, operands, [y], **{**stride, **options}, fused_activation_function="RELU")
        return y

    def weights(self, shape: tuple[int, ...], axis: int) -> int:
        values = np.clip(np.rint(self.rng.normal(0, 40, shape)), -127, 127).astype(np.int8)
        return self.maker.const(values, scales=[0.01] * shape[axis], axis=axis)

    def constant_channels(self, x: int, count: int) -> int:
        """A 1x1 convolution; the constant channels lie anywhere between those that vary."""
        channels = count + self.varying
        values = self.rng.integers(-127, 128, (channels, 1, 1, self.channels(x)), np.int8)
        # The same in all layers, so that their sums and products are constant as well.
        values[np.random.default_rng(count).permutation(channels)[:count]] = 0
        bias = self.rng.integers(-30, 100 * (127 - self.zp) + 30, channels, np.int32)
        w = self.maker.const(values, scales=[0.01] * channels, axis=0)
        b = self.maker.const(bias, scales=[0.005] * channels)
        return self.node("CONV_2D", [x, w, b], (1, *self.size, channels))

    def padded(self, x: int) -> int:
        """A padded convolution with any filter, stride and dilation; its outputs spread over int8."""
        strides = [int(n) for n in self.rng.integers(1, 3, 2)]
        dilations = [1, 1] if max(strides) > 1 else [int(n) for n in self.rng.integers(1, 3, 2)]
        filters = [int(pick(self.rng, (2, 3, 5))) for _ in range(2)]
        w = self.weights((4, *filters, self.channels(x)), 0)
        out = [-(-size // stride) for size, stride in zip(self.size, strides, strict=True)]
        return self.node(
            "CONV_2D",
            [x, w],
            (1, *out, 4),
            scale=3.0,
            stride_h=strides[0],
            stride_w=strides[1],
            dilation_h_factor=dilations[0],
            dilation_w_factor=dilations[1],
        )


def constant_channels(graph: Graph) -> int:
    """Constant channels of what the last node reads."""
    bounds = ranges.of(graph)
    assert bounds is not None
    low, high = bounds[graph.nodes[-1].inputs[0]]
    return int((low == high).all(axis=(0, 1, 2)).sum())


def assert_same_bytes(graph: Graph, seed: int) -> None:
    """The rewritten graph's outputs, by the arithmetic of the bounds, are those of the graph as it was."""
    rng = np.random.default_rng(seed)
    rewritten = passes.run(graph)
    samples = [[rng.integers(-128, 128, graph.tensors[i].shape, np.int8) for i in graph.inputs] for _ in "ab"]
    for sample, expected in zip(samples, references(graph.flatbuffer, samples), strict=True):
        tensors = list(rewritten.tensors)
        for index, values in zip(rewritten.inputs, sample, strict=True):
            tensors[index] = replace(tensors[index], data=values)
        bounds = ranges.of(replace(rewritten, tensors=tuple(tensors)))
        assert bounds is not None
        for index, values in zip(rewritten.outputs, expected, strict=True):
            np.testing.assert_array_equal(bounds[index].low, values)
            np.testing.assert_array_equal(bounds[index].high, values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**31), st.sampled_from(BETWEEN), st.integers(0, 12), st.integers(1, 2))
def test_outputs_stay(seed: int, between: str, constants: int, readers: int) -> None:
    graph = Net(seed, between, constants, readers).graph
    assert_same_bytes(graph, seed)


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("readers", [1, 2])
def test_many_constants_become_few(between: str, readers: int) -> None:
    net = Net(7, between, 20, readers)
    rewritten = passes.run(net.graph)
    assert constant_channels(net.graph) > 12
    assert 1 <= constant_channels(rewritten) <= 6
    assert ops.macs(rewritten) < 0.6 * ops.macs(net.graph)
    assert rewritten.weights_bytes < 0.6 * net.graph.weights_bytes


def test_a_few_constants_among_many_channels_stay() -> None:
    graph = Net(7, "nothing", 4, varying=40).graph
    tensors = [t.shape for t in passes.run(graph).tensors]
    assert tensors[: len(graph.tensors)] == [t.shape for t in graph.tensors]


@pytest.mark.parametrize("between", ["nothing", "AVERAGE_POOL_2D", "ADD"])
def test_compiled(between: str) -> None:
    assert_equal_on_random_data(Net(3, between, 9, 2).graph, seed=1)


def test_hundreds_of_constants() -> None:
    net = Net(5, "nothing", 400)
    rewritten = passes.run(net.graph)
    assert 1 <= constant_channels(rewritten) <= 32
    assert_same_bytes(net.graph, 5)
