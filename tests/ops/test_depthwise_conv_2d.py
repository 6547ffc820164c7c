"""DEPTHWISE_CONV_2D against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick


def add_depthwise(
    made: Layers,
    rng: Rng,
    *,
    in_ch: int | None = None,
    batches: int | None = None,
    usual: tuple[int, int] | None = None,
) -> None:
    """With `usual`, a filter of this size as most layers have it."""
    options, image, taps, out = layers.window(rng, taps=usual)
    batches = batches or (1 if usual else int(pick(rng, (1, 1, 1, 2))))
    in_ch = in_ch or int(pick(rng, (1, 2, 3, 5, 7, 8, 16, 17)))
    multiplier = 1 if usual else int(pick(rng, (1, 1, 2, 3)))
    out_ch = in_ch * multiplier
    in_scale, in_zp = layers.scale(rng), layers.zero_point(rng)
    by_channel = layers.weights(rng, (out_ch, *taps))
    per_tensor = rng.random() < 0.2
    scales = layers.weights_scales(rng, 1 if per_tensor else out_ch)
    inputs = [
        made.input((batches, *image, in_ch), scale=in_scale, zero_point=in_zp),
        made.maker.const(np.moveaxis(by_channel, 0, -1)[np.newaxis], scales=scales, axis=3),
    ]
    if rng.random() < 0.8:
        bias = layers.bias(rng, by_channel.reshape(out_ch, -1), in_zp)
        inputs.append(made.maker.const(bias, scales=scales * np.float32(in_scale)))
    activation = pick(rng, layers.ACTIVATIONS)
    zero_point = layers.zero_point(rng)
    y = made.output(
        (batches, *out, out_ch),
        scale=layers.output_scale(rng, in_scale, float(scales[0]), by_channel[0].size),
        zero_point=zero_point,
        name=f"depthwise {batches}x{image}x{in_ch} {taps} {options} {multiplier=} {in_zp=} {zero_point=} "
        f"{activation}",
    )
    options |= {"depth_multiplier": multiplier, "fused_activation_function": activation}
    made.maker.node("DEPTHWISE_CONV_2D", inputs, [y], **options)


def add_batch(made: Layers, rng: Rng) -> None:
    add_depthwise(made, rng, usual=pick(rng, ((3, 3), (5, 5))), batches=int(pick(rng, (2, 3))))


def test_batches() -> None:
    assert_random_layers_equal(add_batch, seed=3, count=8)


def test_random_layers() -> None:
    assert_random_layers_equal(add_depthwise, seed=1, count=20)


def test_usual_filters() -> None:
    assert_random_layers_equal(
        lambda made, rng: add_depthwise(made, rng, usual=pick(rng, ((3, 3), (5, 5), (1, 4)))),
        seed=2,
        count=20,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 115))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_depthwise, seed=seed, count=30)


def depthwise(
    *,
    weights_shape: tuple[int, ...] = (1, 3, 3, 6),
    scales: tuple[float, ...] = (1.0,),
    axis: int = 3,
    bias: int = 0,
    **options: Any,
) -> Graph:
    """A 3x3 depthwise convolution of a 4x4x3 image that the engine takes, but for what the caller changes."""
    made = Layers()
    x = made.input((1, 4, 4, 3), scale=1.0)
    w = made.maker.const(np.ones(weights_shape, np.int8), scales=scales, axis=axis)
    b = made.maker.const(np.full(6, bias, np.int32), scale=1.0)
    y = made.output((1, 4, 4, 6), scale=1.0, name="layer")
    settings = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "depth_multiplier": 2, **options}
    made.maker.node("DEPTHWISE_CONV_2D", [x, w, b], [y], **settings)
    return made.graph()


def test_macs_count_every_output_and_tap() -> None:
    assert ops.macs(depthwise()) == 4 * 4 * 6 * 3 * 3


def test_the_plain_layer_is_taken() -> None:
    ops.check(depthwise())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth_multiplier": 1}, "3 channels and a depth multiplier of 1"),
        ({"weights_shape": (2, 3, 3, 6)}, "do not fit 3 channels"),
        ({"weights_shape": (3, 3, 6)}, "expected [batch, height, width, channels]"),
        ({"scales": (1.0, 1.0, 1.0), "axis": 1}, "3 scales along axis 1, expected 6 along axis 3"),
        ({"bias": 2**31 - 9 * 127}, "accumulator of output channel 0 can overflow"),
        ({"stride_w": 2}, "size 4 along w, expected 2"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(depthwise(**changes))
    assert message in caught.value.message
