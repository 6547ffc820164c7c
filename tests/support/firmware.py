"""Small graphs for tests of projects, builds and devices."""

from __future__ import annotations

import numpy as np

from microwright import graph
from microwright.footprint import Footprint
from microwright.graph import Graph
from tests.support.tflite_maker import Maker


def dense(inputs: int = 8, outputs: int = 4, name: str = "dense") -> Graph:
    """One fully connected layer with arbitrary weights."""
    rng = np.random.default_rng(inputs * 1000 + outputs)
    made = Maker()
    x = made.tensor((1, inputs), scale=0.05, zero_point=3)
    w = made.const(rng.integers(-127, 128, (outputs, inputs), np.int8), scale=0.01)
    b = made.const(rng.integers(-500, 500, outputs, np.int32), scale=0.0005)
    y = made.tensor((1, outputs), scale=0.2, zero_point=-7)
    made.node("FULLY_CONNECTED", [x, w, b], [y])
    return graph.read(made.build([x], [y]), name)


def convolutional() -> Graph:
    """Convolution, depthwise convolution, residual sum, pool and classifier: two inputs, two outputs."""
    rng = np.random.default_rng(7)
    made = Maker()

    def weights(*shape: int, axis: int = 0) -> int:
        scales = rng.uniform(0.005, 0.02, shape[axis])
        return made.const(rng.integers(-127, 128, shape, np.int8), scales=scales, axis=axis)

    def bias(channels: int) -> int:
        return made.const(rng.integers(-2000, 2000, channels, np.int32), scale=0.001)

    image = made.tensor((1, 9, 7, 3), scale=0.05, zero_point=-4)
    other = made.tensor((1, 9, 7, 5), scale=0.04, zero_point=11)
    conv = made.tensor((1, 9, 7, 5), scale=0.3, zero_point=5)
    window = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}
    made.node("CONV_2D", [image, weights(5, 3, 3, 3), bias(5)], [conv], **window)
    depth = made.tensor((1, 9, 7, 5), scale=0.5, zero_point=-20)
    made.node(
        "DEPTHWISE_CONV_2D",
        [conv, weights(1, 3, 3, 5, axis=3), bias(5)],
        [depth],
        **window,
        depth_multiplier=1,
    )
    total = made.tensor((1, 9, 7, 5), scale=0.5, zero_point=-9)
    made.node("ADD", [depth, other], [total])
    pooled = made.tensor((1, 4, 3, 5), scale=0.5, zero_point=-9)
    pool = {"padding": "VALID", "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2}
    made.node("AVERAGE_POOL_2D", [total], [pooled], **pool)
    flat = made.tensor((1, 60), scale=0.5, zero_point=-9)
    made.node("RESHAPE", [pooled, made.const([1, 60], dtype="int32")], [flat], new_shape=[1, 60])
    classes = made.tensor((1, 6), scale=1.5, zero_point=0)
    made.node("FULLY_CONNECTED", [flat, weights(6, 60), bias(6)], [classes])
    probabilities = made.tensor((1, 6), scale=1 / 256, zero_point=-128)
    made.node("SOFTMAX", [classes], [probabilities], beta=1.0)
    return graph.read(made.build([image, other], [probabilities, pooled]), "convolutional")


# Of an image of which nothing is known.
NO_FOOTPRINT = Footprint({}, {}, (), (), {}, (), None)
