"""SVDF over sequences of inferences against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick


def add_svdf(made: Layers, rng: Rng) -> None:
    batches, in_len, memory = int(pick(rng, (1, 1, 2))), int(rng.integers(1, 12)), int(rng.integers(1, 11))
    units, rank = int(rng.integers(1, 9)), int(pick(rng, (1, 1, 2, 3)))
    feature = layers.weights(rng, (units * rank, in_len))
    limit = int(pick(rng, (32768, 32768, 200)))
    time = rng.integers(-limit, limit, (units * rank, memory)).astype(np.int16)
    x_scale, x_zp = layers.scale(rng), layers.zero_point(rng)
    feature_scale = float(np.float32(2.0 ** rng.uniform(-9, -3)))
    state_scale = float(np.float32(x_scale * feature_scale * 2.0 ** rng.uniform(-6, 6)))
    time_scale = float(np.float32(2.0 ** rng.uniform(-16, -12)))
    bias_scale = float(np.float32(state_scale * time_scale))
    y_scale = float(np.float32(bias_scale * limit * 2.0 ** rng.uniform(0, 12)))
    operands = [
        made.input((batches, in_len), scale=x_scale, zero_point=x_zp),
        made.maker.const(feature, scale=feature_scale),
        made.maker.const(time, scale=time_scale),
        made.maker.const(rng.integers(-100000, 100000, units), dtype="int32", scale=bias_scale),
        made.maker.tensor(
            (batches, units * rank * memory),
            "int16",
            scale=state_scale,
            variable=True,
        ),
    ]
    name = f"svdf {batches}x{in_len} {units=} {rank=} {memory=}"
    y = made.output((batches, units), scale=y_scale, zero_point=layers.zero_point(rng), name=name)
    made.maker.node("SVDF", operands, [y], rank=rank, fused_activation_function="RELU")


def test_random_layers_over_a_sequence() -> None:
    assert_random_layers_equal(add_svdf, seed=91, count=15, samples=10)


@pytest.mark.thorough
def test_many_random_layers_over_a_sequence() -> None:
    for seed in range(9100, 9105):
        assert_random_layers_equal(add_svdf, seed=seed, count=60, samples=20)


def svdf(
    *,
    rank: int = 1,
    out: int = 4,
    dtype: str = "int16",
    time: Any = None,
    variable: bool = True,
    memory: int = 12,
) -> Graph:
    made = Layers()
    operands = [
        made.input((1, 5), scale=1.0),
        made.maker.const(np.ones((4, 5), np.int8), scale=1.0),
        made.maker.const(np.ones((4, 3), np.int16), scale=1.0) if time is None else time(made),
        made.maker.const(np.ones(4, np.int32), scale=1.0),
        made.maker.tensor((1, memory), dtype, scale=1.0, variable=variable),
    ]
    if not variable:
        made.inputs.append(operands[4])
    y = made.output((1, out), scale=1.0, name="layer")
    made.maker.node("SVDF", operands, [y], rank=rank)
    return made.graph()


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (svdf(rank=3), "time weights of shape (4, 3) in groups of 3"),
        (svdf(rank=0), "in groups of 0"),
        (svdf(out=5), "an output of shape (1, 5)"),
        (svdf(memory=8), "a memory of 8"),
        (svdf(dtype="int8"), "is int8, expected int16"),
        (svdf(variable=False), "its memory is no variable"),
        (svdf(time=lambda made: made.input((4, 3), "int16", scale=1.0)), "input 2 is not constant"),
    ],
)
def test_what_cannot_be_exact_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(graph)
    assert message in caught.value.message
    assert "'layer': " in caught.value.message
