"""Nodes that graph passes merge or leave out, many random ones in a graph: fewer nodes, the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from microwright import passes
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, pick
from tests.support.operands import assert_equal_on_random_data


def padded_window(made: Layers, rng: Rng) -> None:
    """PAD in front of a convolution, a depthwise convolution or a maximum pool, with more or less padding."""
    op = pick(rng, ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"))
    stride, channels = int(pick(rng, (1, 2))), int(pick(rng, (1, 3, 4)))
    taps, image = rng.integers(1, 5, 2), rng.integers(3, 8, 2)
    pads = rng.integers(0, np.minimum(taps, 3)[:, None], (2, 2))
    dilation = int(pick(rng, (1, 1, 2))) if op != "MAX_POOL_2D" else 1
    span = (taps - 1) * dilation + 1
    padded = np.maximum(image + pads.sum(axis=1), span)
    image = padded - pads.sum(axis=1)
    if (image < 1).any():
        return
    zero_point = -128 if op == "MAX_POOL_2D" else layers.zero_point(rng)
    quantization = {"scale": layers.scale(rng), "zero_point": zero_point}
    x = made.input((1, *map(int, image), channels), **quantization)
    y = made.maker.tensor((1, *map(int, padded), channels), **quantization)
    widths = made.maker.const(np.array([(0, 0), *pads, (0, 0)], np.int32))
    made.maker.node("PAD", [x, widths], [y])
    out = (1, *map(int, (padded - span) // stride + 1))
    options = {"padding": "VALID", "stride_h": stride, "stride_w": stride}
    if op == "MAX_POOL_2D":
        z = made.output((*out, channels), **quantization)
        made.maker.node(op, [y], [z], **options, filter_height=int(taps[0]), filter_width=int(taps[1]))
        return
    options |= {"dilation_h_factor": dilation, "dilation_w_factor": dilation}
    w_shape = (1, *taps, channels) if op == "DEPTHWISE_CONV_2D" else (channels, *taps, channels)
    w = made.maker.const(layers.weights(rng, w_shape), scales=[0.01] * channels)
    if op == "DEPTHWISE_CONV_2D":
        made.maker.tensors[w].axis = 3
        options["depth_multiplier"] = 1
    z = made.output((*out, channels), scale=quantization["scale"], zero_point=layers.zero_point(rng))
    made.maker.node(op, [y, w], [z], **options)


def single_channel(made: Layers, rng: Rng) -> None:
    """A depthwise convolution of one channel to several, as the first layer of speech models."""
    options, image, taps, out = layers.window(rng)
    channels = int(rng.integers(2, 9))
    in_zp = layers.zero_point(rng)
    x = made.input((1, *image, 1), scale=layers.scale(rng), zero_point=in_zp)
    values = layers.weights(rng, (1, *taps, channels))
    scales = layers.weights_scales(rng, channels)
    bias = layers.bias(rng, np.moveaxis(values, 3, 0).reshape(channels, -1), in_zp)
    operands = [x, made.maker.const(values, scales=scales, axis=3)]
    operands.append(made.maker.const(bias, scales=scales * np.float32(made.maker.tensors[x].scales[0])))
    scale = layers.output_scale(rng, made.maker.tensors[x].scales[0], float(scales.max()), taps[0] * taps[1])
    y = made.output((1, *out, channels), scale=scale, zero_point=layers.zero_point(rng))
    activation = pick(rng, layers.ACTIVATIONS)
    options |= {"depth_multiplier": channels, "fused_activation_function": activation}
    made.maker.node("DEPTHWISE_CONV_2D", operands, [y], **options)


def separate_activation(made: Layers, rng: Rng) -> None:
    """RELU or RELU6 behind a layer, of the layer's scale and zero point."""
    quantization = {"scale": float(np.float32(rng.uniform(0.01, 0.1))), "zero_point": layers.zero_point(rng)}
    x = made.input((1, 2, 2, 3), scale=float(np.float32(rng.uniform(0.01, 0.1))), zero_point=5)
    y = made.maker.tensor((1, 2, 2, 3), **quantization)
    activation = pick(rng, layers.ACTIVATIONS)
    if rng.random() < 0.5:
        made.maker.node("ADD", [x, x], [y], fused_activation_function=activation)
    else:
        w = made.maker.const(layers.weights(rng, (3, 1, 1, 3)), scales=[0.01] * 3, axis=0)
        options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
        made.maker.node("CONV_2D", [x, w], [y], **options, fused_activation_function=activation)
    z = made.output((1, 2, 2, 3), **quantization)
    made.maker.node(pick(rng, ("RELU", "RELU6")), [y], [z])


def conversion(made: Layers, rng: Rng) -> None:
    """A DEQUANTIZE and a QUANTIZE, mostly of one scale and zero point, behind and before others."""
    quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    x = made.input((1, 5), **quantization)
    a = made.maker.tensor((1, 5), **quantization)
    made.maker.node("RELU", [x], [a])
    real = made.maker.tensor((1, 5), "float32")
    made.maker.node("DEQUANTIZE", [a], [real])
    if rng.random() < 0.3:
        quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    b = made.maker.tensor((1, 5), **quantization)
    made.maker.node("QUANTIZE", [real], [b])
    c = made.maker.tensor((1, 5), **quantization)
    made.maker.node("QUANTIZE", [b], [c])
    d = made.output((1, 5), **quantization)
    made.maker.node(pick(rng, ("QUANTIZE", "RELU")), [c], [d])


def reshape(made: Layers, rng: Rng) -> None:
    """Reshapes of reshapes, to the same shape, and before a fully connected layer."""
    quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    x = made.input((1, 2, 3, 4), **quantization)
    shape: tuple[int, ...] = (1, 2, 3, 4)
    for _ in range(int(rng.integers(1, 4))):
        shape = pick(rng, (shape, (1, 24), (1, 6, 4), (2, 12)))
        y = made.maker.tensor(shape, **quantization)
        made.maker.node("RESHAPE", [x, made.maker.const(np.array(shape, np.int32))], [y])
        x = y
    w = made.maker.const(layers.weights(rng, (5, 24)), scales=[0.01])
    z = made.output((1, 5), scale=layers.scale(rng), zero_point=3)
    made.maker.node("FULLY_CONNECTED", [x, w], [z])


def constant(made: Layers, rng: Rng) -> None:
    """A sum of constants, reshaped and padded, added to an input."""
    a = made.maker.const(rng.integers(-128, 128, (1, 2, 2, 3), np.int8), scale=0.1, zero_point=4)
    b = made.maker.const(rng.integers(-128, 128, (3,), np.int8), scale=0.03, zero_point=-7)
    total = made.maker.tensor((1, 2, 2, 3), scale=0.12, zero_point=1)
    made.maker.node("ADD", [a, b], [total], fused_activation_function=pick(rng, layers.ACTIVATIONS))
    flat = made.maker.tensor((1, 12), scale=0.12, zero_point=1)
    made.maker.node("RESHAPE", [total, made.maker.const(np.array((1, 12), np.int32))], [flat])
    longer = made.maker.tensor((1, 14), scale=0.12, zero_point=1)
    made.maker.node("PAD", [flat, made.maker.const(np.array([(0, 0), (1, 1)], np.int32))], [longer])
    x = made.input((1, 14), scale=0.2)
    made.maker.node("MUL", [x, longer], [made.output((1, 14), scale=2.5)])


def _graph(add: Callable[[Layers, Rng], None], seed: int, count: int) -> Graph:
    rng = np.random.default_rng(seed)
    made = Layers()
    for _ in range(count):
        add(made, rng)
    return made.graph()


# What has to be there for fewer of at the end, and the most that may be left of it, of 40 samples.
CASES: tuple[tuple[Callable[[Layers, Rng], None], str, int], ...] = (
    (padded_window, "PAD", 0),
    (single_channel, "DEPTHWISE_CONV_2D", 0),
    (separate_activation, "RELU", 0),
    (conversion, "DEQUANTIZE", 8),
    (reshape, "RESHAPE", 0),
    (constant, "ADD", 0),
)


@pytest.mark.parametrize(("add", "op", "most"), CASES, ids=lambda case: getattr(case, "__name__", None))
def test_fused(add: Callable[[Layers, Rng], None], op: str, most: int) -> None:
    graph = _graph(add, seed=1, count=40)
    before, after = (Counter(node.op for node in g.nodes) for g in (graph, passes.run(graph)))
    assert before[op] >= 15
    assert after[op] <= most
    assert_equal_on_random_data(graph, seed=1)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("add", [case[0] for case in CASES], ids=lambda add: add.__name__)
def test_many_fused(add: Callable[[Layers, Rng], None], seed: int) -> None:
    assert_equal_on_random_data(_graph(add, seed=100 + seed, count=40), seed=seed)
