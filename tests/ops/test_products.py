"""TRANSPOSE_CONV, BATCH_MATMUL and RESIZE_BILINEAR against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick


def add_transpose_conv(made: Layers, rng: Rng) -> None:
    batches, in_ch, out_ch = int(pick(rng, (1, 1, 2))), int(rng.integers(1, 6)), int(rng.integers(1, 6))
    padding = pick(rng, ("SAME", "VALID"))
    image, out, taps, strides = [], [], [], []
    for _ in range(2):
        size, tap, stride = int(rng.integers(1, 6)), int(rng.integers(1, 5)), int(rng.integers(1, 4))
        # The sizes that an image of `size` can come from; Keras takes the first.
        first = size * stride if padding == "SAME" else (size - 1) * stride + tap
        extra = int(rng.integers(0, stride)) if rng.random() < 0.3 else 0
        out.append(first - extra if padding == "SAME" else first + extra)
        image.append(size)
        taps.append(tap)
        strides.append(stride)
    weights = layers.weights(rng, (out_ch, *taps, in_ch))
    in_scale, in_zp = layers.scale(rng), layers.zero_point(rng)
    scales = layers.weights_scales(rng, out_ch)
    out_scale = layers.output_scale(rng, in_scale, float(scales[0]), taps[0] * taps[1] * in_ch)
    shape = (batches, *out, out_ch)
    operands = [
        made.maker.const(shape, dtype="int32"),
        made.maker.const(weights, scales=scales, axis=0),
        made.input((batches, *image, in_ch), scale=in_scale, zero_point=in_zp),
    ]
    if rng.random() < 0.7:
        bias = layers.bias(rng, weights.reshape(out_ch, -1), in_zp)
        operands.append(made.maker.const(bias, scales=scales * np.float32(in_scale)))
    options = {"padding": padding, "stride_h": strides[0], "stride_w": strides[1]}
    name = f"transpose_conv {image} {taps} {shape} {options}"
    y = made.output(shape, scale=out_scale, zero_point=layers.zero_point(rng), name=name)
    made.maker.node("TRANSPOSE_CONV", operands, [y], **options)


def add_batch_matmul(made: Layers, rng: Rng) -> None:
    rows, depth, columns = (int(n) for n in rng.integers(1, 7, 3))
    batches = [int(n) for n in rng.integers(1, 4, int(rng.integers(0, 3)))]
    broadcast = [int(rng.integers(0, 4)) for _ in batches]
    first = [1 if how == 1 else n for how, n in zip(broadcast, batches, strict=True)]
    second = [1 if how == 2 else n for how, n in zip(broadcast, batches, strict=True)]
    adj_x, adj_y = (bool(rng.random() < 0.5) for _ in range(2))
    a = (*first, *((depth, rows) if adj_x else (rows, depth)))
    b = (*second, *((columns, depth) if adj_y else (depth, columns)))
    scale1, scale2 = layers.scale(rng), layers.scale(rng)
    out_scale = float(np.float32(scale1 * scale2 * 60 * math.sqrt(depth) * 2.0 ** rng.uniform(-3, 3)))
    operands = [made.input(a, scale=scale1, zero_point=layers.zero_point(rng))]
    if rng.random() < 0.3:
        values = rng.integers(-128, 128, b, np.int8)
        operands.append(made.maker.const(values, scale=scale2, zero_point=layers.zero_point(rng)))
    else:
        operands.append(made.input(b, scale=scale2, zero_point=layers.zero_point(rng)))
    y = made.output(
        (*batches, rows, columns),
        scale=out_scale,
        zero_point=layers.zero_point(rng),
        name=f"matmul {a} {b} {adj_x=} {adj_y=}",
    )
    made.maker.node("BATCH_MATMUL", operands, [y], adj_x=adj_x, adj_y=adj_y)


def add_resize(made: Layers, rng: Rng) -> None:
    b, h, w, c = (int(n) for n in rng.integers(1, (3, 8, 8, 5)))
    out = tuple(int(n) for n in rng.integers(1, 20, 2))
    if rng.random() < 0.4:
        out = (2 * h, 2 * w)
    options = pick(rng, ({}, {"align_corners": True}, {"half_pixel_centers": True}))
    quantization = {"scale": 0.1, "zero_point": layers.zero_point(rng)}
    x = made.input((b, h, w, c), **quantization)
    y = made.output((b, *out, c), **quantization, name=f"resize {(h, w)} {out} {options}")
    made.maker.node("RESIZE_BILINEAR", [x, made.maker.const(out, dtype="int32")], [y], **options)


FAMILIES = (add_transpose_conv, add_batch_matmul, add_resize)


@pytest.mark.parametrize("add", FAMILIES)
def test_random_layers(add: Any) -> None:
    assert_random_layers_equal(add, seed=81, count=15)


@pytest.mark.thorough
@pytest.mark.parametrize("add", FAMILIES)
def test_many_random_layers(add: Any) -> None:
    for seed in range(8100, 8105):
        assert_random_layers_equal(add, seed=seed, count=60)


def transpose_conv(
    *, image: tuple[int, ...] = (1, 2, 2, 3), out: tuple[int, ...] = (1, 4, 4, 2), dtype: str = "int8"
) -> Graph:
    made = Layers()
    operands = [
        made.maker.const(out, dtype="int32"),
        made.maker.const(np.ones((2, 2, 2, 3), np.int8), scales=[0.5, 0.5]),
        made.input(image, dtype, scale=1.0),
    ]
    y = made.output(out, scale=1.0, name="layer")
    made.maker.node("TRANSPOSE_CONV", operands, [y], padding="SAME", stride_h=2, stride_w=2)
    return made.graph()


def matmul(a: tuple[int, ...], b: tuple[int, ...], y: tuple[int, ...], dtype: str = "int8") -> Graph:
    made = Layers()
    operands = [made.input(shape, dtype, scale=1.0) for shape in (a, b)]
    made.maker.node("BATCH_MATMUL", operands, [made.output(y, dtype, scale=1.0, name="layer")])
    return made.graph()


def resize(out: tuple[int, ...], **options: Any) -> Graph:
    made = Layers()
    x, y = made.input((1, 1, 1, 3), scale=1.0), made.output((1, *out, 3), scale=1.0, name="layer")
    made.maker.node("RESIZE_BILINEAR", [x, made.maker.const(out, dtype="int32")], [y], **options)
    return made.graph()


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (transpose_conv(dtype="float32"), "is float32, tensor 'layer' int8"),
        (transpose_conv(image=(1, 2, 2, 4)), "weights of 3 channels for 4 of the image"),
        (transpose_conv(out=(1, 6, 4, 2)), "output has size 2 along h, expected 3"),
        (matmul((2, 3), (4, 5), (2, 5)), "(2, 3) times (4, 5) does not give (2, 5)"),
        (matmul((2, 2, 3), (3, 3, 5), (2, 2, 5)), "does not give (2, 2, 5)"),
        (matmul((3,), (3, 5), (5,)), "matrices of shape (3,)"),
        (matmul((1, 40000), (40000, 1), (1, 1)), "sums of 40000 products can overflow"),
        (matmul((1, 1), (1, 1), (1, 1), "float32"), "is float32, expected int8"),
        (resize((2, 2), align_corners=True, half_pixel_centers=True), "both align_corners and half_pixel"),
        (resize((1500, 1)), "from 1 to 1500 pixels, the last ones lie outside"),
    ],
)
def test_what_cannot_be_exact_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(graph)
    assert message in caught.value.message
    assert "'layer': " in caught.value.message
