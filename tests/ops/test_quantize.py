"""QUANTIZE against TensorFlow Lite Micro: from floats, and between 8-bit types for every value."""

from __future__ import annotations

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Array, Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, pick
from tests.support.native import assert_equal_to_reference, native
from tests.support.operands import scale_ratio
from tests.support.unary import Case, assert_equal_for_every_value, one

TYPES = (("int8", "int8"), ("int8", "int8"), ("int8", "uint8"), ("uint8", "int8"))


def case(rng: Rng) -> Case:
    in_type, out_type = pick(rng, TYPES)
    in_scale = layers.scale(rng)
    out_scale = float(np.float32(in_scale * scale_ratio(rng, -28, 36)))
    in_zero_point = layers.zero_point(rng) + (128 if in_type == "uint8" else 0)
    out_zero_point = layers.zero_point(rng) + (128 if out_type == "uint8" else 0)
    return Case(in_scale, in_zero_point, out_scale, out_zero_point, in_type, out_type)


def test_every_value_in_random_cases() -> None:
    rng = np.random.default_rng(101)
    shifts = [Case(0.5, 0, 0.5, 128, "int8", "uint8"), Case(0.5, 128, 0.5, 0, "uint8", "int8")]
    assert_equal_for_every_value("QUANTIZE", shifts + [case(rng) for _ in range(60)])


@pytest.mark.thorough
def test_every_value_in_many_random_cases() -> None:
    rng = np.random.default_rng(10100)
    for _ in range(10):
        assert_equal_for_every_value("QUANTIZE", [case(rng) for _ in range(100)])


def floats(rng: Rng, scale: float) -> Array:
    """Values around every half step of the scale, one ulp either way, and of all magnitudes."""
    steps = np.arange(-600, 601, dtype=np.float32) * np.float32(scale / 2)
    values = [steps, np.nextafter(steps, np.float32(np.inf)), np.nextafter(steps, np.float32(-np.inf))]
    # The reference converts to int32 before it saturates: beyond 2**31 steps its result is undefined.
    magnitudes = rng.normal(size=400) * scale * 10.0 ** rng.uniform(-30, 8, 400)
    special = np.array([0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38], np.float32)
    return np.concatenate([*values, magnitudes.astype(np.float32), special])


def from_floats(scales: list[float], zero_points: list[int], elements: int) -> Graph:
    made = Layers()
    for scale, zero_point in zip(scales, zero_points, strict=True):
        x = made.input((elements,), "float32")
        y = made.output((elements,), scale=scale, zero_point=zero_point, name=f"{scale=:g} {zero_point=}")
        made.maker.node("QUANTIZE", [x], [y])
    return made.graph()


def assert_floats_equal(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scales = [float(np.float32(10.0 ** rng.uniform(-8, 5))) for _ in range(count)]
    data = [floats(rng, scale) for scale in scales]
    graph = from_floats(scales, [layers.zero_point(rng) for _ in scales], data[0].size)
    assert_equal_to_reference(graph, [tuple(data)])


def test_floats_around_every_step() -> None:
    assert_floats_equal(102, 20)


@pytest.mark.thorough
def test_floats_around_every_step_of_many_scales() -> None:
    for seed in range(10200, 10210):
        assert_floats_equal(seed, 50)


@pytest.mark.parametrize("zero_point", [-128, -5, 0, 5, 127])
def test_what_no_int32_holds_saturates(zero_point: int) -> None:
    values = np.array([np.inf, 3e38, 1e12, -np.inf, -3e38, -1e12, np.nan, -np.nan], np.float32)
    (quantized,) = native(from_floats([0.1], [zero_point], values.size))([values])
    assert quantized.tolist() == [127, 127, 127, -128, -128, -128, zero_point, zero_point]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Case(1.0, 0, 1.0, 0, "float32", "uint8"), "is uint8"),
        (Case(1.0, 0, 1.0, 0, "uint8", "uint8"), "uint8 to uint8"),
        (Case(1.0, 0, 1.0, 0, "int16", "uint8"), "int16 to uint8"),
        (Case(1.0, 0, 1.0, 0, "int32", "int8"), "is int32"),
        (Case(1.0, 0, 1e-10, 0), "factor of 1e+10"),
    ],
)
def test_what_cannot_be_exact_is_refused(changed: Case, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(one("QUANTIZE", changed))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 QUANTIZE 'layer': ")
