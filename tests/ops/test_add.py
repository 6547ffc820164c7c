"""ADD against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.native import assert_equal_to_reference
from tests.support.operands import assert_equal_on_random_data, broadcast_shapes, scale_ratio


def add_add(made: Layers, rng: Rng) -> None:
    a, b, shape = broadcast_shapes(rng)
    scale1 = layers.scale(rng)
    # Apart by up to 2**34: the smaller input's multiplier underflows to 0 from 2**-32 on.
    scale2 = float(np.float32(scale1 * scale_ratio(rng, -34, 34)))
    # The output's scale may be down to 2**-19 of the larger input's.
    out_scale = float(np.float32(max(scale1, scale2) * scale_ratio(rng, -18, 20)))
    zero_points = [layers.zero_point(rng) for _ in range(3)]
    activation = pick(rng, layers.ACTIVATIONS) if out_scale > 1e-6 else "NONE"
    x1 = made.input(a, scale=scale1, zero_point=zero_points[0])
    if rng.random() < 0.3:
        x2 = made.maker.const(rng.integers(-128, 128, b, np.int8), scale=scale2, zero_point=zero_points[1])
    else:
        x2 = made.input(b, scale=scale2, zero_point=zero_points[1])
    operands = [x1, x2] if rng.random() < 0.5 else [x2, x1]
    name = f"add {a} {b} scales {scale1:g} {scale2:g} {out_scale:g} {zero_points} {activation}"
    y = made.output(shape, scale=out_scale, zero_point=zero_points[2], name=name)
    made.maker.node("ADD", operands, [y], fused_activation_function=activation)


def test_random_layers() -> None:
    assert_random_layers_equal(add_add, seed=11, count=25)


def test_every_pair_with_ties() -> None:
    made = Layers()
    column = np.arange(-128, 128, dtype=np.int8)[:, None]
    for out_scale, zero_points in ((2.0, (0, 0, 0)), (4.0, (-128, 127, 5)), (2.0, (3, -2, -1))):
        a = made.input((256, 1), scale=1.0, zero_point=zero_points[0])
        b = made.input((1, 256), scale=1.0, zero_point=zero_points[1])
        y = made.output((256, 256), scale=out_scale, zero_point=zero_points[2])
        made.maker.node("ADD", [a, b], [y])
    assert_equal_to_reference(made.graph(), [(column, column.T.copy()) * 3])


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1100, 1110))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_add, seed=seed, count=60)


def test_a_tensor_plus_itself() -> None:
    made = Layers()
    x = made.input((1, 3, 5), scale=0.1, zero_point=7)
    y = made.output((1, 3, 5), scale=0.15, zero_point=-3)
    made.maker.node("ADD", [x, x], [y])
    assert_equal_on_random_data(made.graph(), seed=12)


def add(
    a: tuple[int, ...] = (1, 4),
    b: tuple[int, ...] = (1, 4),
    y: tuple[int, ...] = (1, 4),
    *,
    dtype: str = "int8",
    out_scale: float | None = 1.0,
    **options: Any,
) -> Graph:
    made = Layers()
    inputs = [made.input(shape, dtype, scale=1.0) for shape in (a, b)]
    made.maker.node("ADD", inputs, [made.output(y, dtype, scale=out_scale, name="layer")], **options)
    return made.graph()


def test_no_macs() -> None:
    assert ops.macs(add()) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "uint8"}, "is uint8, the kernels take int8, int16, float32"),
        ({"out_scale": None}, "not quantised per tensor"),
        ({"out_scale": 1e-6}, "output's scale 1e-06 is too small for inputs of scale 1"),
        ({"b": (1, 3)}, "shapes (1, 4) and (1, 3) do not give the output's (1, 4)"),
        ({"b": (2, 4)}, "do not give"),
        ({"y": (4,)}, "do not give"),
        ({"y": (1, 1, 4)}, "do not give"),
        ({"a": (2, 1, 2, 1, 2), "b": (1, 2, 1, 2, 1), "y": (2, 2, 2, 2, 2)}, "more than 4 times"),
        ({"fused_activation_function": "TANH"}, "fused activation TANH"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(add(**changes))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 ADD 'layer': ")
