"""Random whole graphs: branches, residuals, several inputs and outputs, channels that do nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from microwright.graph import Graph, read
from tests.support import layers
from tests.support.layers import Rng, pick
from tests.support.tflite_maker import Maker

Shape = tuple[int, ...]
UNIT = {"scale": 1 / 256, "zero_point": -128}


class Value(NamedTuple):
    """An int8 tensor of the graph so far."""

    index: int
    shape: Shape
    scale: float
    zero_point: int


class RandomGraph:
    """Grows node by node; `values` are the tensors that a node may read.

    `idle` is the share of channels that layers with weights do not compute, and of those that they ignore;
    such layers come first and last, so that all others may lose channels.
    """

    def __init__(self, seed: int, *, idle: float = 0.0) -> None:
        self.rng: Rng = np.random.default_rng(seed)
        self.idle = idle
        self.maker = Maker()
        self.values: list[Value] = []
        self.read: set[int] = set()

    def build(self, nodes: int) -> Graph:
        """A graph of about so many nodes."""
        inputs = [self.input() for _ in range(int(self.rng.integers(1, 4)))]
        if self.rng.random() < 0.3:
            self.reshape(inputs[0])
        if self.idle:
            for value in inputs:
                conv(self, value)
                depthwise(self, self.values[-1])
            self.values = [value for value in self.values if value not in inputs]
        while len(self.maker.nodes) < nodes:
            step: Callable[[RandomGraph, Value], None] = pick(self.rng, STEPS)
            step(self, self.any())
        if self.idle:
            for value in [v for v in self.values if v.index not in self.read]:
                fully_connected(self, value)
        computed = [value.index for value in self.values if value not in inputs]
        outputs = [i for i in computed if i not in self.read or self.rng.random() < 0.1]
        # Now and then a branch that leads nowhere.
        if len(outputs) > 1 and self.rng.random() < 0.2:
            outputs.pop(int(self.rng.integers(len(outputs))))
        self.rng.shuffle(outputs)
        return read(self.maker.build([value.index for value in inputs], outputs), "graph")

    def input(self) -> Value:
        """A graph input; most of them of one shape, so that they meet again."""
        return self.new(pick(self.rng, ((1, 6, 6, 4), (1, 6, 6, 4), (1, 5, 7, 3))), layers.scale(self.rng))

    def any(self) -> Value:
        """A tensor to read, the newest ones more often."""
        return self.values[-1 - min(int(self.rng.exponential(2.0)), len(self.values) - 1)]

    def new(self, shape: Sequence[int], scale: float, zero_point: int | None = None) -> Value:
        """A tensor that a node is about to write."""
        chosen = layers.zero_point(self.rng) if zero_point is None else zero_point
        # Products of products would leave the range that operators take.
        scale = float(np.float32(min(max(scale, 1e-4), 1e3)))
        value = Value(self.maker.tensor(shape, scale=scale, zero_point=chosen), tuple(shape), scale, chosen)
        self.values.append(value)
        return value

    def node(self, op: str, operands: Sequence[Value | int], y: Value, *more: Value, **options: Any) -> Value:
        """A node from its operands, tensors or constants, to `y` and more outputs."""
        indices = [x.index if isinstance(x, Value) else x for x in operands]
        self.read.update(indices)
        self.maker.node(op, indices, [value.index for value in (y, *more)], **options)
        return y

    def constant(self, values: Sequence[int] | int) -> int:
        """A constant of int32."""
        return self.maker.const(values, dtype="int32")

    def about(self, scale: float) -> float:
        """A scale near a given one."""
        return scale * 2.0 ** self.rng.uniform(-1, 1)

    def activation(self) -> str:
        return str(pick(self.rng, layers.ACTIVATIONS))

    def weighted(self, x: Value, op: str, weights: Shape, axis: int, out: Shape, **options: Any) -> None:
        """A layer with random weights and biases; `axis` is the output channels' axis of the weights."""
        w = self.rng.integers(-127, 128, weights, np.int8)
        channels = weights[axis]
        if self.idle:
            self.make_idle(x, np.moveaxis(w, axis, 0), op)
        scales = np.float32(10.0 ** self.rng.uniform(-3, -1, channels))
        taps = w.size // channels
        bias = self.rng.integers(-5000, 5000, channels, np.int32)
        scale = self.about(x.scale * float(scales.max()) * 100 * math.sqrt(taps))
        operands = [
            x,
            self.maker.const(w, scales=scales, axis=axis),
            self.maker.const(bias, scales=scales * np.float32(x.scale)),
        ]
        self.node(op, operands, self.new(out, scale), **options, fused_activation_function=self.activation())

    def make_idle(self, x: Value, w: npt.NDArray[np.int8], op: str) -> None:
        """Set weights [outputs, ...] of some output channels, and of some of the input's, to zero."""
        w[self.rng.random(len(w)) < self.idle] = 0
        if op != "DEPTHWISE_CONV_2D":
            by_channel = w.reshape(len(w), -1, x.shape[-1])
            by_channel[..., self.rng.random(x.shape[-1]) < self.idle] = 0

    def reshape(self, x: Value) -> Value:
        count = math.prod(x.shape)
        shape = pick(self.rng, ((1, count), (1, 1, 1, count), (1, *x.shape[:0:-1])))
        y = self.new(shape, x.scale, x.zero_point)
        return self.node("RESHAPE", [x, self.maker.const(np.array(shape, np.int32))], y)

    def requantize(self, x: Value, scale: float, zero_point: int) -> Value:
        if (x.scale, x.zero_point) == (scale, zero_point):
            return x
        return self.node("QUANTIZE", [x], self.new(x.shape, scale, zero_point))


def conv(g: RandomGraph, x: Value) -> None:
    if len(x.shape) != 4:
        return
    _, h, w, channels = x.shape
    stride, taps = int(pick(g.rng, (1, 1, 1, 2))), int(pick(g.rng, (1, 3)))
    out_channels = int(pick(g.rng, (channels, 4, 5)))
    out = (1, -(-h // stride), -(-w // stride), out_channels)
    options = {"padding": "SAME", "stride_h": stride, "stride_w": stride}
    g.weighted(x, "CONV_2D", (out_channels, taps, taps, channels), 0, out, **options)


def depthwise(g: RandomGraph, x: Value) -> None:
    if len(x.shape) != 4 or min(x.shape[1:3]) < 3:
        return
    _, h, w, channels = x.shape
    valid = g.rng.random() < 0.3
    out = (1, h - 2, w - 2, channels) if valid else x.shape
    options = {"padding": "VALID" if valid else "SAME", "stride_h": 1, "stride_w": 1, "depth_multiplier": 1}
    g.weighted(x, "DEPTHWISE_CONV_2D", (1, 3, 3, channels), 3, out, **options)


def fully_connected(g: RandomGraph, x: Value) -> None:
    units = int(g.rng.integers(1, 12))
    g.weighted(x, "FULLY_CONNECTED", (units, math.prod(x.shape)), 0, (1, units))


def pool(g: RandomGraph, x: Value) -> None:
    if len(x.shape) != 4 or min(x.shape[1:3]) < 2:
        return
    _, h, w, channels = x.shape
    y = g.new((1, h // 2, w // 2, channels), x.scale, x.zero_point)
    options = {"padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
    g.node(pick(g.rng, ("AVERAGE_POOL_2D", "MAX_POOL_2D")), [x], y, **options)


def mean(g: RandomGraph, x: Value) -> None:
    if len(x.shape) != 4:
        return
    keep = g.rng.random() < 0.5
    shape = (1, 1, 1, x.shape[3]) if keep else (1, x.shape[3])
    axes = g.maker.const(np.array([1, 2], np.int32))
    g.node("MEAN", [x, axes], g.new(shape, g.about(x.scale)), keep_dims=keep)


def binary(g: RandomGraph, x: Value) -> None:
    op = pick(g.rng, ("ADD", "ADD", "MUL"))
    a_value_a_channel = (1,) * (len(x.shape) - 1) + x.shape[-1:]
    partners = [v for v in g.values if v.shape in (x.shape, a_value_a_channel)]
    other: Value | int
    if g.rng.random() < 0.2:
        scale = g.about(x.scale)
        shape = pick(g.rng, ((), x.shape[-1:], x.shape))
        other = g.maker.const(g.rng.integers(-128, 128, shape, np.int8), scale=scale, zero_point=3)
    else:
        other = pick(g.rng, partners)
        scale = other.scale
    out_scale = max(x.scale, scale) if op == "ADD" else 50 * x.scale * scale
    operands = [x, other] if g.rng.random() < 0.5 else [other, x]
    y = g.new(x.shape, g.about(out_scale))
    g.node(op, operands, y, fused_activation_function=g.activation())


def pair(g: RandomGraph, x: Value) -> None:
    """Two tensors of one shape, or one and a constant a channel."""
    op = pick(g.rng, ("SUB", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU"))
    other: Value | int
    if op == "PRELU":
        scale = 0.01
        other = g.maker.const(g.rng.integers(-128, 128, x.shape[-1:], np.int8), scale=scale, zero_point=3)
    else:
        other = pick(g.rng, [v for v in g.values if v.shape == x.shape])
        scale = other.scale
    if op in ("MAXIMUM", "MINIMUM") and isinstance(other, Value):
        other = g.requantize(other, x.scale, x.zero_point)
        g.node(op, [x, other], g.new(x.shape, x.scale, x.zero_point))
        return
    out_scale = {"SUB": max(x.scale, scale), "PRELU": x.scale}.get(op, 100 * max(x.scale, scale) ** 2)
    g.node(op, [x, other], g.new(x.shape, g.about(out_scale)))


def concatenation(g: RandomGraph, x: Value) -> None:
    axis = int(g.rng.integers(1, len(x.shape)))

    def fits(v: Value) -> bool:
        same_rank = len(v.shape) == len(x.shape)
        return same_rank and all(
            a == b or i == axis for i, (a, b) in enumerate(zip(v.shape, x.shape, strict=True))
        )

    partners = [v for v in g.values if fits(v)]
    others = [pick(g.rng, partners) for _ in range(int(g.rng.integers(1, 4)))]
    operands = [g.requantize(v, x.scale, x.zero_point) for v in (*others, x)]
    shape = list(x.shape)
    shape[axis] = sum(v.shape[axis] for v in operands)
    if math.prod(shape) < 1000:
        g.node("CONCATENATION", operands, g.new(shape, x.scale, x.zero_point), axis=axis)


def pad(g: RandomGraph, x: Value) -> None:
    paddings = g.rng.integers(0, 2, (len(x.shape), 2))
    paddings[0] = 0
    shape = [int(n) for n in x.shape + paddings.sum(axis=1)]
    constant = g.maker.const(paddings, dtype="int32")
    g.node("PAD", [x, constant], g.new(shape, x.scale, x.zero_point))


def move(g: RandomGraph, x: Value) -> None:
    """Elements in another order."""
    rank = len(x.shape)
    axis = int(g.rng.integers(1, rank))
    match pick(g.rng, ("TRANSPOSE", "STRIDED_SLICE", "SPLIT", "RESIZE_NEAREST_NEIGHBOR")):
        case "TRANSPOSE":
            order = [0, *(1 + int(i) for i in g.rng.permutation(rank - 1))]
            y = g.new([x.shape[i] for i in order], x.scale, x.zero_point)
            g.node("TRANSPOSE", [x, g.constant(order)], y)
        case "STRIDED_SLICE":
            begin, step = (int(g.rng.integers(2)) for _ in range(rank)), int(g.rng.integers(1, 3))
            begins = [min(b, size - 1) for b, size in zip(begin, x.shape, strict=True)]
            shape = [len(range(b, n, step)) for b, n in zip(begins, x.shape, strict=True)]
            operands = [g.constant(values) for values in (begins, x.shape, [step] * rank)]
            g.node("STRIDED_SLICE", [x, *operands], g.new(shape, x.scale, x.zero_point))
        case "SPLIT" if x.shape[axis] % 2 == 0:
            half = (*x.shape[:axis], x.shape[axis] // 2, *x.shape[axis + 1 :])
            first, second = (g.new(half, x.scale, x.zero_point) for _ in range(2))
            g.node("SPLIT", [g.constant(axis), x], first, second, num_splits=2)
        case "RESIZE_NEAREST_NEIGHBOR" if rank == 4 and math.prod(x.shape) < 200:
            _, h, w, channels = x.shape
            y = g.new((1, 2 * h, 2 * w, channels), x.scale, x.zero_point)
            g.node("RESIZE_NEAREST_NEIGHBOR", [x, g.constant([2 * h, 2 * w])], y)


def unary(g: RandomGraph, x: Value) -> None:
    match pick(g.rng, ("RELU", "RELU6", "LOGISTIC", "QUANTIZE", "LEAKY_RELU", "TANH")):
        case "LEAKY_RELU":
            g.node("LEAKY_RELU", [x], g.new(x.shape, g.about(x.scale)), alpha=0.3)
        case "TANH":
            g.node("TANH", [x], g.new(x.shape, 1 / 128, 0))
        case "RELU":
            g.node("RELU", [x], g.new(x.shape, g.about(x.scale)))
        case "RELU6":
            g.node("RELU6", [x], g.new(x.shape, x.scale, x.zero_point))
        case "LOGISTIC":
            g.node("LOGISTIC", [x], g.new(x.shape, **UNIT))
        case _:
            g.requantize(x, float(np.float32(g.about(x.scale))), layers.zero_point(g.rng))


def softmax(g: RandomGraph, x: Value) -> None:
    if x.shape[-1] < 500:
        g.node("SOFTMAX", [x], g.new(x.shape, **UNIT), beta=1.0)


def reshape(g: RandomGraph, x: Value) -> None:
    g.reshape(x)


STEPS = (
    conv, conv, depthwise, pool, pool, mean, fully_connected, binary, binary, binary, concatenation, pad,
    unary, unary, softmax, reshape, pair, pair, move,
    move,
)  # fmt: skip
