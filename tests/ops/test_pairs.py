"""Operators of two int8 or int32 tensors against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.native import assert_equal_to_reference, native
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


def _div_scales(rng: Rng) -> tuple[float, float, float]:
    """So that no quotient is too small for the reference, which shifts by 32 bits then."""
    first, second = layers.scale(rng), layers.scale(rng)
    return first, second, first / second * 2.0 ** -pick(rng, (6, 7, 8, 12, 20, 6 + 10 * rng.random()))


def _one_scale(rng: Rng) -> tuple[float, float, float]:
    return (layers.scale(rng),) * 3


SCALES: Mapping[str, Callable[[Rng], tuple[float, float, float]]] = {
    "SUB": _sub_scales,
    "MAXIMUM": _one_scale,
    "MINIMUM": _one_scale,
    "SQUARED_DIFFERENCE": _squared_difference_scales,
    "PRELU": _prelu_scales,
    "DIV": _div_scales,
}


def add_pair(made: Layers, rng: Rng, op: str) -> None:
    a, b, shape = broadcast_shapes(rng)
    if len(shape) > _AXES.get(op, 5):
        return
    scales = [float(np.float32(scale)) for scale in SCALES[op](rng)]
    same = SCALES[op] is _one_scale
    zero_points = [layers.zero_point(rng)] * 3 if same else [layers.zero_point(rng) for _ in range(3)]
    x1 = made.input(a, scale=scales[0], zero_point=zero_points[0])
    if op == "DIV" or rng.random() < 0.5:
        values = rng.integers(-128, 128, b, np.int8)
        if op == "DIV":
            # Quotients of 0 are not the same on every machine.
            values[values == zero_points[1]] += np.int8(1 if zero_points[1] < 127 else -1)
        x2 = made.maker.const(values, scale=scales[1], zero_point=zero_points[1])
    else:
        x2 = made.input(b, scale=scales[1], zero_point=zero_points[1])
    operands = [x1, x2] if op in ("PRELU", "DIV") or rng.random() < 0.5 else [x2, x1]
    options: dict[str, Any] = {}
    if op in ("SUB", "DIV") and scales[2] > 1e-6:
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
    row = column.T.copy()
    zero_points = (3, 3, 3) if SCALES[op] is _one_scale else (3, -2, -1)
    out_scales = {"DIV": (0.01, 2.0**-9)}.get(op, (1.0,) if SCALES[op] is _one_scale else (2.0, 300.0))
    if op == "DIV":
        row[row == zero_points[1]] = 127
    for out_scale in out_scales:
        a = made.input((256, 1), scale=1.0, zero_point=zero_points[0])
        b = made.input((1, 256), scale=1.0, zero_point=zero_points[1])
        y = made.output((256, 256), scale=out_scale, zero_point=zero_points[2])
        made.maker.node(op, [a, b], [y])
    assert_equal_to_reference(made.graph(), [(column, row) * (len(made.inputs) // 2)])


def test_quotients_that_the_reference_leaves_open() -> None:
    """A division by 0 saturates; what is far below a step is 0, or 1 away from it as on a Cortex-M."""
    made = Layers()
    a, b = (made.input((4,), scale=1.0, zero_point=0) for _ in range(2))
    made.maker.node("DIV", [a, b], [made.output((4,), scale=0.01, zero_point=5)])
    made.maker.node("DIV", [a, b], [made.output((4,), scale=8.0, zero_point=5)])
    x, y = np.array([7, -7, 0, 0], np.int8), np.array([0, 0, 0, 9], np.int8)
    fine, coarse = native(made.graph()).run([(x, y)])[0]
    assert fine.tolist() == [127, -128, 5, 5]
    assert coarse.tolist() == [127, -128, 5, 6]


def add_int32(made: Layers, rng: Rng) -> None:
    """Of any numbers: what leaves 32 bits wraps."""
    op = pick(rng, ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"))
    a, b, shape = broadcast_shapes(rng)
    operands = [made.input(a, "int32"), made.input(b, "int32")]
    made.maker.node(op, operands, [made.output(shape, "int32", name=f"{op} int32 {a} {b}")])


def test_random_layers_of_int32() -> None:
    made, rng = Layers(), np.random.default_rng(4)
    for _ in range(25):
        add_int32(made, rng)
    assert_equal_on_random_data(made.graph(), seed=4)


def test_int32_wraps() -> None:
    made = Layers()
    x = made.input((2,), "int32")
    made.maker.node("MUL", [x, x], [made.output((2,), "int32")])
    assert native(made.graph()).run([(np.array([2**16 + 1, -(2**31)], np.int32),)])[0][0].tolist() == [
        2**17 + 1,
        0,
    ]


# DIV by itself would divide 0 by 0, of which the reference says something else on each machine.
@pytest.mark.parametrize("op", sorted(set(SCALES) - {"DIV"}))
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
        ("DIV", {"scale": 1e-8}, "output's scale 1e-08 is too small for 1 divided by 1"),
        ("DIV", {"scale": 0.1, "dtype": "int32"}, "is int32"),
        ("ADD", {"dtype": "int32"}, "is int8, the kernel takes int32"),
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
