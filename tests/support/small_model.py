"""A small int8 model for tests that need any model: convolution, average pool, fully connected, softmax."""

from __future__ import annotations

import numpy as np

from tests.support.tflite_maker import Maker

INPUT_SHAPE = (1, 8, 8, 3)
CLASSES = 4


def small_model() -> bytes:
    """Its `.tflite`. Input int8 8x8x3 of scale 1/64, output int8 4 of scale 1/256."""
    rng = np.random.default_rng(7)
    m = Maker()
    x = m.tensor(INPUT_SHAPE, "int8", name="image", scale=1 / 64, zero_point=-3)
    w = m.const(rng.integers(-127, 128, (6, 3, 3, 3), np.int8), scales=[0.01] * 6, axis=0)
    b = m.const(rng.integers(-500, 500, (6,), np.int32), scales=[0.01 / 64] * 6)
    y = m.tensor((1, 8, 8, 6), "int8", name="convolved", scale=1 / 32, zero_point=-128)
    m.node(
        "CONV_2D", [x, w, b], [y], padding="SAME", stride_w=1, stride_h=1, fused_activation_function="RELU"
    )
    p = m.tensor((1, 2, 2, 6), "int8", name="pooled", scale=1 / 32, zero_point=-128)
    m.node(
        "AVERAGE_POOL_2D", [y], [p], padding="VALID", stride_w=4, stride_h=4, filter_width=4, filter_height=4
    )
    w = m.const(rng.integers(-127, 128, (CLASSES, 24), np.int8), scales=[0.02])
    b = m.const(rng.integers(-500, 500, (CLASSES,), np.int32), scales=[0.02 / 32])
    z = m.tensor((1, CLASSES), "int8", name="logits", scale=1 / 8, zero_point=5)
    m.node("FULLY_CONNECTED", [p, w, b], [z])
    s = m.tensor((1, CLASSES), "int8", name="classes", scale=1 / 256, zero_point=-128)
    m.node("SOFTMAX", [z], [s], beta=1.0)
    return m.build(inputs=[x], outputs=[s])
