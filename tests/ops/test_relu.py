"""RELU against TensorFlow Lite Micro for every input value, and what it refuses."""

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
    in_scale = layers.scale(rng)
    out_scale = float(np.float32(in_scale * scale_ratio(rng, -28, 36)))
    return Case(in_scale, layers.zero_point(rng), out_scale, layers.zero_point(rng))


def test_every_value_in_random_cases() -> None:
    rng = np.random.default_rng(71)
    assert_equal_for_every_value("RELU", [case(rng) for _ in range(40)])


@pytest.mark.thorough
def test_every_value_in_many_random_cases() -> None:
    rng = np.random.default_rng(7100)
    for _ in range(10):
        assert_equal_for_every_value("RELU", [case(rng) for _ in range(100)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Case(1.0, 0, 1e-10, 0), "factor of 1e+10"),
        (Case(1e30, 0, 1e-30, 0), "factor of inf"),
        (Case(1.0, 0, 1.0, 0, "float32", "int8"), "is float32, tensor"),
        (Case(1.0, 0, 1.0, 0, "int8", "uint8"), "is uint8"),
    ],
)
def test_what_cannot_be_exact_is_refused(changed: Case, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(one("RELU", changed))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 RELU 'layer': ")


def test_another_size_is_refused() -> None:
    with pytest.raises(UnsupportedOp, match="input has 256 elements, output 255"):
        ops.check(one("RELU", Case(1.0, 0, 1.0, 0), (255,)))
