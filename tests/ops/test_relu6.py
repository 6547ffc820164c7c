"""RELU6 against the reference for every input value, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Rng
from tests.support.operands import scale_ratio
from tests.support.unary import Case, assert_equal_for_every_value, one


def case(rng: Rng) -> Case:
    scale = layers.scale(rng)
    if rng.random() < 0.5:
        # Six lies within the integers, now and then half way between two of them.
        scale = float(np.float32(6 / (rng.integers(1, 510) / 2)))
    zero_point = layers.zero_point(rng)
    return Case(scale, zero_point, scale, zero_point)


def test_every_value_in_random_cases() -> None:
    rng = np.random.default_rng(81)
    assert_equal_for_every_value("RELU6", [case(rng) for _ in range(60)])


@pytest.mark.parametrize("op", ["RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"])
def test_every_value_where_the_scales_differ(op: str) -> None:
    rng = np.random.default_rng(82)
    cases = [case(rng) for _ in range(30)]
    to = [case(rng) for _ in range(30)]
    ratios = [scale_ratio(rng, -28, 28) for _ in range(30)]
    assert_equal_for_every_value(
        op,
        [
            Case(a.in_scale, a.in_zero_point, float(np.float32(a.in_scale * ratio)), b.out_zero_point)
            for a, b, ratio in zip(cases, to, ratios, strict=True)
        ],
    )


@pytest.mark.thorough
def test_every_value_in_many_random_cases() -> None:
    rng = np.random.default_rng(8100)
    for _ in range(10):
        assert_equal_for_every_value("RELU6", [case(rng) for _ in range(100)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Case(1e5, 0, 1e-5, 0), "factor of 1e+10"),
        (Case(1e-10, 0, 1e-10, 0), "6 is out of range at a scale of 1e-10"),
        (Case(1.0, 0, 1.0, 0, "float32", "int8"), "is float32, tensor"),
    ],
)
def test_what_cannot_be_exact_is_refused(changed: Case, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(one("RELU6", changed))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 RELU6 'layer': ")
