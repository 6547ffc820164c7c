"""FULLY_CONNECTED against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from microwright.ops.quantized import multiplier
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.pruned import add_layer, pruned


def add_fully_connected(made: Layers, rng: Rng) -> None:
    in_len = int(pick(rng, (1, 2, 3, 7, 16, 31, 64, 97, 640)))
    out_len = int(pick(rng, (1, 2, 3, 5, 8, 13)))
    in_scale, in_zp = layers.scale(rng), layers.zero_point(rng)
    values = layers.weights(rng, (out_len, in_len))
    scales = layers.weights_scales(rng, pick(rng, (1, out_len)))
    leading, keep = pick(
        rng,
        (
            ((1,), False),
            ((3,), False),
            ((), False),
            ((1, 2), True),
            ((2, 1, 2), True),
            ((1, 2, 2), False),
        ),
    )
    inputs = [
        made.input((*leading, in_len), scale=in_scale, zero_point=in_zp),
        made.maker.const(values, scales=scales, axis=0),
    ]
    has_bias = rng.random() < 0.8
    if has_bias:
        inputs.append(made.maker.const(layers.bias(rng, values, in_zp), scales=scales * np.float32(in_scale)))
    elif rng.random() < 0.5:
        inputs.append(-1)
    activation = pick(rng, layers.ACTIVATIONS)
    zero_point = layers.zero_point(rng)
    y = made.output(
        (*leading, out_len) if keep else (int(np.prod(leading)), out_len),
        scale=layers.output_scale(rng, in_scale, float(scales[0]), in_len),
        zero_point=zero_point,
        name=f"fully connected {leading}x{in_len} {out_len} {keep=} {len(scales)=} {in_zp=} {zero_point=} "
        f"{has_bias=} {activation}",
    )
    made.maker.node("FULLY_CONNECTED", inputs, [y], keep_num_dims=keep, fused_activation_function=activation)


def add_with_blocks_of_zeros(made: Layers, rng: Rng) -> None:
    in_len, out_len = int(pick(rng, (4, 16, 97, 640, 2000))), int(pick(rng, (1, 3, 4, 9)))
    weights = pruned(rng, (out_len, in_len), (4, 4), float(pick(rng, (0.5, 0.8, 1.0))))
    add_layer(made, rng, (in_len,), weights, zero_point=layers.zero_point(rng), per_tensor=rng.random() < 0.5)


def test_layers_with_blocks_of_zeros() -> None:
    assert_random_layers_equal(add_with_blocks_of_zeros, seed=3, count=30)


def test_random_layers() -> None:
    assert_random_layers_equal(add_fully_connected, seed=1, count=30)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 115))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_fully_connected, seed=seed, count=40)


def test_multipliers_are_exact_to_the_last_bit() -> None:
    """Accumulators just at and just below a rounding threshold, where one in 2**31 decides."""

    def add(made: Layers, rng: Rng) -> None:
        out_scale = float(np.float32(2.0**31 / 100 * rng.uniform(1, 4)))
        factor = multiplier(1.0 / out_scale)
        # The smallest accumulator that rounds to `result`.
        result = int(rng.integers(15, 24))
        scaled = 2 * result - 1 << -factor.shift - 1
        threshold = -(-((scaled << 31) - (1 << 30)) // factor.mult)
        for bias in (threshold, threshold - 1):
            x = made.input((1, 1), scale=1.0)
            w = made.maker.const(np.zeros((1, 1), np.int8), scale=1.0)
            b = made.maker.const(np.array([bias], np.int32), scale=1.0)
            y = made.output((1, 1), scale=out_scale, name=f"{bias} / {out_scale}, {result}")
            made.maker.node("FULLY_CONNECTED", [x, w, b], [y])

    assert_random_layers_equal(add, seed=7, count=60)


def test_the_scales_are_multiplied_in_double_precision() -> None:

    def add(made: Layers, rng: Rng) -> None:
        x = made.input((1, 1), scale=layers.scale(rng))
        in_scale = made.maker.tensors[x].scales[0]
        weight_scale = layers.scale(rng)
        w = made.maker.const(np.full((1, 1), 127, np.int8), scale=weight_scale)
        bias = 2**31 - 1 - 127 * 128
        b = made.maker.const(np.array([bias], np.int32), scale=in_scale * weight_scale)
        # The accumulator of about 2**31 becomes about 100, so that an error of 2**-24 in the factor is one of
        # 2**7 in the accumulator, which moves some of the roundings.
        y = made.output((1, 1), scale=in_scale * weight_scale * bias / 100.5)
        made.maker.node("FULLY_CONNECTED", [x, w, b], [y])

    assert_random_layers_equal(add, seed=5, count=200, samples=20)


def test_factors_of_every_magnitude() -> None:
    """From those that flush to 0 to those whose left shift wraps; accumulators up to the ends of 32 bits."""

    def add(made: Layers, rng: Rng) -> None:
        for exponent in range(-28, 36):
            for sign in (1, -1):
                x = made.input((1, 1), scale=1.0)
                w = made.maker.const(np.full((1, 1), sign * 127, np.int8), scale=1.0)
                large = sign * (2**31 - 1 - 127 * 128)
                bias = int(pick(rng, (large, large, large // 2, sign * 1000)))
                b = made.maker.const(np.array([bias], np.int32), scale=1.0)
                out_scale = 2.0 ** (exponent + pick(rng, (0.0, rng.uniform(0, 1))))
                y = made.output((1, 1), scale=out_scale, zero_point=pick(rng, (0, 0, layers.zero_point(rng))))
                made.maker.node("FULLY_CONNECTED", [x, w, b], [y])

    assert_random_layers_equal(add, seed=6, count=1, samples=30)


def fully_connected(
    *,
    weights_shape: tuple[int, ...] = (2, 12),
    scales: tuple[float, ...] = (1.0,),
    axis: int = 0,
    out_shape: tuple[int, ...] = (1, 2),
    bias: int = 0,
    bias_scale: float = 1.0,
    bias_dtype: str = "int32",
    **options: Any,
) -> Graph:
    """A layer of 12 inputs and 2 outputs that the engine takes, but for what the caller changes."""
    made = Layers()
    x = made.input((1, 12), scale=1.0)
    w = made.maker.const(np.ones(weights_shape, np.int8), scales=scales, axis=axis)
    b = made.maker.const(np.full(2, bias, bias_dtype), scale=bias_scale)
    y = made.output(out_shape, scale=1.0, name="layer")
    made.maker.node("FULLY_CONNECTED", [x, w, b], [y], **options)
    return made.graph()


def test_macs_count_every_weight() -> None:
    assert ops.macs(fully_connected()) == 24


def test_the_plain_layer_is_taken() -> None:
    ops.check(fully_connected())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights_shape": (2, 5)}, "do not fit input [1, 12] and output [1, 2]"),
        ({"weights_shape": (2, 6)}, "do not fit input [1, 12] and output [1, 2]"),
        ({"weights_shape": (24,)}, "expected [outputs, inputs]"),
        ({"out_shape": (2, 1)}, "do not fit"),
        ({"out_shape": (1, 3)}, "do not fit"),
        ({"scales": (1.0,) * 12, "axis": 1}, "12 scales along axis 1, expected 2 along axis 0"),
        ({"bias": 2**31 - 12 * 127}, "accumulator of output channel 0 can overflow"),
        ({"bias_scale": 1.1}, "bias has scale 1.1, expected input scale times weights scale, 1"),
        ({"bias_dtype": "int64"}, "is int64, expected int32"),
        ({"weights_format": "SHUFFLED4x16INT8"}, "weights are shuffled"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(fully_connected(**changes))
    assert message in caught.value.message
