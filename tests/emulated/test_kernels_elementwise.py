"""Fully connected layers, pools and elementwise operators on emulated cores against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ops.test_add import add_add
from tests.ops.test_fully_connected import add_fully_connected
from tests.ops.test_mean import add_mean
from tests.ops.test_mul import add_mul
from tests.ops.test_softmax import add_softmax
from tests.support import layers
from tests.support.device import assert_random_layers_equal_on
from tests.support.layers import Layers, Rng, pick

CORES = ("mps2-an385-m0plus", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")


def add_wide(made: Layers, rng: Rng) -> None:
    """More inputs with larger weights than the sum of two channels in one register takes."""
    in_len, out_len = int(pick(rng, (600, 2001, 3000))), int(pick(rng, (2, 4, 7)))
    values = rng.integers(-127, 128, (out_len, in_len), np.int8)
    values[:, :500] = pick(rng, (-127, 127))
    scales = layers.weights_scales(rng, pick(rng, (1, out_len)))
    x = made.input((1, in_len), scale=0.05, zero_point=layers.zero_point(rng))
    w = made.maker.const(values, scales=scales, axis=0)
    out_scale = float(np.float32(0.05 * scales[0] * 2**16))
    y = made.output((1, out_len), scale=out_scale, zero_point=layers.zero_point(rng), name=f"wide {in_len}")
    made.maker.node("FULLY_CONNECTED", [x, w], [y])


def add_ties(made: Layers, rng: Rng) -> None:
    """Sums that lie half way between two outputs, on both sides of zero."""
    values = rng.integers(-20, 20, (32, 5), np.int8)
    zero_points = [layers.zero_point(rng), int(rng.integers(-20, 20))]
    scales = np.full(pick(rng, (1, 32)), 0.5, np.float32)
    x = made.input((4, 5), scale=0.5, zero_point=zero_points[0])
    w = made.maker.const(values, scales=scales, axis=0)
    y = made.output((4, 32), scale=16.0, zero_point=zero_points[1], name=f"ties {zero_points} {len(scales)=}")
    made.maker.node("FULLY_CONNECTED", [x, w], [y])


def add_dense(made: Layers, rng: Rng) -> None:
    pick(rng, (add_fully_connected, add_fully_connected, add_wide, add_ties))(made, rng)


def add_sum(made: Layers, rng: Rng) -> None:
    """Mostly as they come between layers: operands and sum of about one scale."""
    if rng.random() < 0.3:
        add_add(made, rng)
        return
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 6)), int(pick(rng, (1, 3, 4, 7, 8, 16, 17))))
    other = pick(rng, (shape, shape, (shape[-1],), (*shape[:3], 1), ()))
    scales = [float(np.float32(s)) for s in 0.05 * 2.0 ** rng.uniform(-1, 1, 3)]
    zero_points = [layers.zero_point(rng) for _ in scales]
    operands = [
        made.input(operand, scale=scales[i], zero_point=zero_points[i])
        for i, operand in enumerate((shape, other))
    ]
    activation = pick(rng, layers.ACTIVATIONS)
    name = f"sum {shape} {other} {scales} {zero_points} {activation}"
    y = made.output(shape, scale=scales[2], zero_point=zero_points[2], name=name)
    operands = operands if rng.random() < 0.5 else operands[::-1]
    made.maker.node("ADD", operands, [y], fused_activation_function=activation)


def add_any_pool(made: Layers, rng: Rng) -> None:
    """Pools and means of a few pixels, now and then of hundreds."""
    match int(rng.integers(4)):
        case 0:
            layers.add_pool(made, rng, "AVERAGE_POOL_2D")
        case 1:
            layers.add_pool(made, rng, "MAX_POOL_2D")
        case 2:
            add_mean(made, rng)
        case _:
            add_global(made, rng)


def add_global(made: Layers, rng: Rng) -> None:
    h, w, channels = (int(pick(rng, sizes)) for sizes in ((1, 7, 16), (1, 8, 25), (4, 6, 9)))
    if rng.random() < 0.5:
        add_mean(made, rng, (1, h, w, channels), [1, 2])
        return
    quantization: dict[str, Any] = {"scale": 0.1, "zero_point": layers.zero_point(rng)}
    x = made.input((1, h, w, channels), **quantization)
    y = made.output((1, 1, 1, channels), **quantization, name=f"global {h} {w} {channels}")
    options = {"filter_height": h, "filter_width": w, "stride_h": h, "stride_w": w, "padding": "VALID"}
    made.maker.node("AVERAGE_POOL_2D", [x], [y], **options)


def add_product(made: Layers, rng: Rng) -> None:
    """Mostly as they come between layers: by a value a channel, of about the product's scale."""
    if rng.random() < 0.3:
        add_mul(made, rng)
        return
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 6)), int(pick(rng, (1, 3, 4, 7, 8, 16, 17))))
    other = pick(rng, (shape, (shape[-1],), (1, 1, 1, shape[-1]), (*shape[:3], 1), ()))
    zero_points = [layers.zero_point(rng) for _ in range(3)]
    operands = [made.input(s, scale=0.05, zero_point=zero_points[i]) for i, s in enumerate((shape, other))]
    activation = pick(rng, layers.ACTIVATIONS)
    scale = float(np.float32(0.0025 * 2.0 ** rng.uniform(2, 8)))
    name = f"product {shape} {other} {scale} {zero_points} {activation}"
    y = made.output(shape, scale=scale, zero_point=zero_points[2], name=name)
    operands = operands if rng.random() < 0.5 else operands[::-1]
    made.maker.node("MUL", operands, [y], fused_activation_function=activation)


FAMILIES = (add_dense, add_sum, add_product, add_any_pool, add_softmax)
ANYWHERE = {
    "average_pool_2d_s8_lanes",
    "max_pool_2d_s8_lanes",
    "mean_s8_lanes",
    "mul_s8_portable",
    "softmax_s8",
    "add_s8_table",
}
KERNELS = {
    "mps2-an385": ANYWHERE | {"fully_connected_s8_portable"},
    "mps2-an386": ANYWHERE | {"fully_connected_s8_dsp", "add_s8_dsp"},
}


def add_layer(made: Layers, rng: Rng) -> None:
    pick(rng, FAMILIES)(made, rng)


@pytest.mark.parametrize("board_id", KERNELS)
def test_random_layers(tmp_path: Path, board_id: str) -> None:
    found = assert_random_layers_equal_on(board_id, tmp_path / "p", add_layer, seed=7, count=100)
    assert found.keys() >= KERNELS[board_id]


@pytest.mark.thorough
@pytest.mark.parametrize("add", FAMILIES)
@pytest.mark.parametrize("board_id", CORES)
def test_many_random_layers(tmp_path: Path, board_id: str, add: Callable[[Layers, Rng], None]) -> None:
    for seed in range(100, 103):
        assert_random_layers_equal_on(board_id, tmp_path / str(seed), add, seed=seed, count=60, samples=2)
