"""SUB, MAXIMUM, MINIMUM, SQUARED_DIFFERENCE and PRELU against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.native import assert_equal_to_reference
from tests.support.operands import assert_equal_on_random_data, broadcast_shapes, scale_ratio

# Axes that the reference broadcasts, where it has a limit.
_AXES: Mapping[str, int] = {"SQUARED_DIFFERENCE": 4}


def _sub_scales(rng: Rng) -> tuple[float, float, float]:
    first = layers.scale(rng)
    second = first * scale_ratio(rng, -34, 34)
    return first, second, max(first, second) * scale_ratio(rng, -18, 20)


def _squared_difference_scales(rng: Rng) -> tuple[float, float, float]:
    first = layers.scale(rng)
    second = first * scale_ratio(rng, -20, 20)
    return first, second, 64 * max(first, second) ** 2 * scale_ratio(rng, -18, 20)


def _prelu_scales(rng: Rng) -> tuple[float, float, float]:
    first = layers.scale(rng)
    return first, layers.scale(rng), first * scale_ratio(rng, -18, 20)


def _one_scale(rng: Rng) -> tuple[float, float, float]:
    return (layers.scale(rng),) * 3


SCALES: Mapping[str, Callable[[Rng], tuple[float, float, float]]] = {
    "SUB": _sub_scales,
    "MAXIMUM": _one_scale,
    "MINIMUM": _one_scale,
    "SQUARED_DIFFERENCE": _squared_difference_scales,
    "PRELU": _prelu_scales,
}


def add_pair(made: Layers, rng: Rng, op: str) -> None:
    a, b, shape = broadcast_shapes(rng)
    if len(shape) > _AXES.get(op, 5):
        return
    scales = [float(np.float32(scale)) for scale in SCALES[op](rng)]
    same = SCALES[op] is _one_scale
    zero_points = [layers.zero_point(rng)] * 3 if same else [layers.zero_point(rng) for _ in range(3)]
    x1 = made.input(a, scale=scales[0], zero_point=zero_points[0])
    if rng.random() < 0.5:
        values = rng.integers(-128, 128, b, np.int8)
        x2 = made.maker.const(values, scale=scales[1], zero_point=zero_points[1])
    else:
        x2 = made.input(b, scale=scales[1], zero_point=zero_points[1])
    operands = [x1, x2] if op == "PRELU" or rng.random() < 0.5 else [x2, x1]
    options: dict[str, Any] = {}
    if op == "SUB" and scales[2] > 1e-6:
        options["fused_activation_function"] = pick(rng, layers.ACTIVATIONS)
    name = f"{op} {a} {b} scales {scales} {zero_points} {options}"
    y = made.output(shape, scale=scales[2], zero_point=zero_points[2], name=name)
    made.maker.node(op, operands, [y], **options)


def _add(made: Layers, rng: Rng) -> None:
    for op in SCALES:
        add_pair(made, rng, op)


def test_random_layers() -> None:
    assert_random_layers_equal(_add, seed=41, count=12)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(4100, 4110))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(_add, seed=seed, count=20)


@pytest.mark.parametrize("op", SCALES)
def test_every_pair_of_values(op: str) -> None:
    made = Layers()
    column = np.arange(-128, 128, dtype=np.int8)[:, None]
    zero_points = (3, 3, 3) if SCALES[op] is _one_scale else (3, -2, -1)
    for out_scale in (1.0,) if SCALES[op] is _one_scale else (2.0, 300.0):
        a = made.input((256, 1), scale=1.0, zero_point=zero_points[0])
        b = made.input((1, 256), scale=1.0, zero_point=zero_points[1])
        y = made.output((256, 256), scale=out_scale, zero_point=zero_points[2])
        made.maker.node(op, [a, b], [y])
    assert_equal_to_reference(made.graph(), [(column, column.T.copy()) * (len(made.inputs) // 2)])


@pytest.mark.parametrize("op", SCALES)
def test_a_tensor_with_itself(op: str) -> None:
    made = Layers()
    x = made.input((1, 4, 3), scale=0.5, zero_point=2)
    made.maker.node(op, [x, x], [made.output((1, 4, 3), scale=0.5, zero_point=2)])
    assert_equal_on_random_data(made.graph(), seed=1)


@pytest.mark.parametrize(
    ("op", "out", "message"),
    [
        ("SUB", {"scale": 1e-7}, "output's scale 1e-07 is too small for inputs of scale 1"),
        ("SUB", {"dtype": "float32", "scale": 1.0}, "is int8, tensor 'layer' float32"),
        ("MAXIMUM", {"scale": 2.0}, "different scales or zero points"),
        ("MINIMUM", {"scale": 1.0, "zero_point": 1}, "different scales or zero points"),
        ("SQUARED_DIFFERENCE", {"scale": 1e-30}, "fixed-point arithmetic cannot express"),
        ("PRELU", {"scale": 1e-10}, "factor of 1e+10"),
        ("PRELU", {}, "not quantised per tensor"),
    ],
)
def test_what_cannot_be_exact_is_refused(op: str, out: dict[str, Any], message: str) -> None:
    made = Layers()
    operands = [made.input((1, 4), scale=1.0) for _ in range(2)]
    made.maker.node(op, operands, [made.output((1, 4), name="layer", **out)])
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(made.graph())
    assert message in caught.value.message
    assert caught.value.message.startswith(f"node 0 {op} 'layer': ")
