"""CONV_2D against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.pruned import pruned


def add_conv(
    made: Layers,
    rng: Rng,
    *,
    in_ch: int | None = None,
    out_ch: int | None = None,
    groups: int = 1,
    batches: int | None = None,
    per_tensor: bool = False,
    usual: tuple[int, int] | None = None,
    zeros: tuple[tuple[int, int], float] | None = None,
) -> None:
    """With `usual`, a filter of this size as most layers have it.

    With `zeros`, (size, share): that share of the blocks of channels and k is zero.
    """
    options, image, taps, out = layers.window(rng, taps=usual)
    batches = batches or (1 if usual else int(pick(rng, (1, 1, 1, 2))))
    in_ch = in_ch or int(pick(rng, (1, 2, 3, 5, 7, 16, 17)))
    out_ch = out_ch or int(pick(rng, (1, 2, 3, 5, 8, 13)))
    in_scale, in_zp = layers.scale(rng), layers.zero_point(rng)
    values = layers.weights(rng, (out_ch, *taps, in_ch // groups))
    if zeros is not None:
        values *= pruned(rng, values.shape, *zeros) != 0
    scales = layers.weights_scales(rng, 1 if per_tensor else out_ch)
    out_scale = layers.output_scale(rng, in_scale, float(scales[0]), values[0].size)
    inputs = [
        made.input((batches, *image, in_ch), scale=in_scale, zero_point=in_zp),
        made.maker.const(values, scales=scales, axis=0),
    ]
    if rng.random() < 0.8:
        inputs.append(
            made.maker.const(
                layers.bias(rng, values.reshape(out_ch, -1), in_zp), scales=scales * np.float32(in_scale)
            )
        )
    activation = pick(rng, layers.ACTIVATIONS)
    zero_point = layers.zero_point(rng)
    y = made.output(
        (batches, *out, out_ch),
        scale=out_scale,
        zero_point=zero_point,
        name=f"conv {batches}x{image}x{in_ch} {taps} {options} {groups=} {in_zp=} {zero_point=} {activation}",
    )
    made.maker.node("CONV_2D", inputs, [y], **options, fused_activation_function=activation)


def add_grouped(made: Layers, rng: Rng) -> None:
    groups = int(pick(rng, (2, 3, 4)))
    add_conv(
        made,
        rng,
        in_ch=groups * int(pick(rng, (1, 2, 5, 8))),
        out_ch=groups * int(pick(rng, (1, 2, 3, 5))),
        groups=groups,
        usual=pick(rng, ((1, 1), (3, 3), None)),
    )


def add_batch(made: Layers, rng: Rng) -> None:
    add_conv(made, rng, usual=pick(rng, ((1, 1), (3, 3))), batches=int(pick(rng, (2, 3))))


def add_wide_conv(made: Layers, rng: Rng) -> None:
    """A 1x1 layer whose accumulators come close to 2^23, and whose outputs still tell them apart."""
    pixels, in_ch, out_ch = int(rng.integers(1, 8)), 508, int(rng.integers(1, 6))
    values = np.full((out_ch, 1, 1, in_ch), 127, np.int8)
    values[::2] = pick(rng, (-127, rng.choice(np.array((-127, 127), np.int8), in_ch)))
    scale = float(np.float32(rng.uniform(0.5, 2)))
    x = made.input((1, 1, pixels, in_ch), scale=1.0)
    y = made.output((1, 1, pixels, out_ch), scale=65_000 * scale, name=f"wide {pixels=} {out_ch=}")
    inputs = [x, made.maker.const(values, scales=np.full(out_ch, scale, np.float32), axis=0)]
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"}
    made.maker.node("CONV_2D", inputs, [y], **options)


def test_random_layers() -> None:
    assert_random_layers_equal(add_conv, seed=1, count=15)


def test_usual_filters() -> None:
    assert_random_layers_equal(
        lambda made, rng: add_conv(made, rng, usual=pick(rng, ((1, 1), (3, 3), (5, 5), (1, 4)))),
        seed=4,
        count=20,
    )


def test_accumulators_of_almost_24_bits() -> None:
    assert_random_layers_equal(add_wide_conv, seed=5, count=6)


def test_grouped() -> None:
    assert_random_layers_equal(add_grouped, seed=2, count=10)


def test_batches() -> None:
    assert_random_layers_equal(add_batch, seed=6, count=8)


def test_weights_quantised_per_tensor() -> None:
    assert_random_layers_equal(lambda made, rng: add_conv(made, rng, per_tensor=True), seed=3, count=5)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 115))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_conv, seed=seed, count=25)
    assert_random_layers_equal(add_grouped, seed=seed, count=10)


def conv(
    *,
    out_shape: tuple[int, ...] = (1, 4, 4, 2),
    weights_shape: tuple[int, ...] = (2, 3, 3, 3),
    fill: int = 1,
    bias: int = 0,
    bias_count: int = 2,
    out_scale: float = 1.0,
    dtype: str = "int8",
    constant: bool = True,
    operands: int = 3,
    more_outputs: int = 0,
    weights_zero_point: int = 0,
    **options: Any,
) -> Graph:
    """A 3x3 convolution of a 4x4x3 image that the engine takes, but for what the caller changes."""
    made = Layers()
    x = made.input((1, 4, 4, 3), dtype, scale=1.0)
    if constant:
        values = np.full(weights_shape, fill, np.int8)
        w = made.maker.const(values, scale=1.0, zero_point=weights_zero_point)
    else:
        w = made.input(weights_shape, scale=1.0)
    b = made.maker.const(np.full(bias_count, bias, np.int32), scale=1.0)
    y = made.output(out_shape, dtype, scale=out_scale, name="layer")
    settings = {"padding": "SAME", "stride_h": 1, "stride_w": 1, **options}
    others = [made.output((1,), scale=1.0) for _ in range(more_outputs)]
    made.maker.node("CONV_2D", [x, w, b][:operands], [y, *others], **settings)
    return made.graph()


def test_macs_count_every_output_and_tap() -> None:
    assert ops.macs(conv()) == 4 * 4 * 2 * 3 * 3 * 3


def test_the_plain_layer_is_taken() -> None:
    ops.check(conv())
    ops.check(conv(bias=2**31 - 1 - 27 * 127))
    ops.check(conv(operands=2))
    ops.check(conv(fill=-1, bias=-(2**31) + 27 * 127))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float32"}, "is float32, tensor"),
        ({"operands": 1}, "input 1 is missing"),
        ({"more_outputs": 1}, "it has 2 outputs, expected 1"),
        ({"constant": False}, "weights are computed by the model"),
        ({"bias_count": 3}, "3 biases, expected 2"),
        ({"bias": 2**31 - 27 * 127}, "accumulator of output channel 0 can overflow"),
        ({"bias": -(2**31) + 27 * 128 - 1}, "accumulator of output channel 0 can overflow"),
        ({"fill": -1, "bias": 2**31 - 27 * 128}, "accumulator of output channel 0 can overflow"),
        ({"fill": -1, "bias": -(2**31) + 27 * 127 - 1}, "accumulator of output channel 0 can overflow"),
        ({"out_scale": 1e-10}, "factor of 1e"),
        ({"out_shape": (1, 4, 5, 2)}, "size 5 along w, expected 4"),
        ({"out_shape": (1, 4, 4, 3)}, "3 channels, expected 1 and 2"),
        ({"out_shape": (2, 4, 4, 2)}, "batch 2 and"),
        ({"out_shape": (4, 4, 2)}, "expected [batch, height, width, channels]"),
        ({"weights_shape": (2, 3, 3, 2)}, "do not divide into groups"),
        ({"weights_zero_point": 3}, "have a zero point other than 0"),
        ({"stride_h": 0}, "stride 0"),
        ({"dilation_w_factor": -1}, "dilation -1"),
        ({"dilation_w_factor": 2**30}, "too large"),
        ({"fused_activation_function": "TANH"}, "fused activation TANH"),
        ({"fused_activation_function": "RELU6", "out_scale": 2e-9}, "too small for the fused activation"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(conv(**changes))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 CONV_2D 'layer': ")
