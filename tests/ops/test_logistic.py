"""LOGISTIC against TensorFlow Lite Micro for every input value, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.unary import Case, assert_equal_for_every_value, one


def cases(rng: np.random.Generator, count: int) -> list[Case]:
    """Scales from the smallest that is taken to where every input but zero saturates and beyond."""
    scales = np.concatenate([2.0 ** rng.uniform(-27, 6, count // 2), 2.0 ** rng.uniform(-8, 0, count // 2)])
    return [Case(float(np.float32(scale)), layers.zero_point(rng), 1 / 256, -128) for scale in scales]


def test_every_value_at_many_scales() -> None:
    extremes = [
        Case(scale, zp, 1 / 256, -128) for scale in (2.0**-27, 8.0, 16.0, 2.0**29) for zp in (-128, 5)
    ]
    assert_equal_for_every_value("LOGISTIC", extremes + cases(np.random.default_rng(91), 60))


@pytest.mark.thorough
def test_every_value_at_very_many_scales() -> None:
    rng = np.random.default_rng(9100)
    for _ in range(10):
        assert_equal_for_every_value("LOGISTIC", cases(rng, 100))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Case(0.1, 0, 1 / 128, -128), "output's scale is not 1/256 with zero point -128"),
        (Case(0.1, 0, 1 / 256, 0), "output's scale is not 1/256 with zero point -128"),
        (Case(1e-9, 0, 1 / 256, -128), "input's scale 1e-09 is out of range"),
        (Case(1e10, 0, 1 / 256, -128), "input's scale 1e+10 is out of range"),
        (Case(0.1, 0, 1 / 256, -128, "float32", "int8"), "is float32, tensor"),
    ],
)
def test_what_cannot_be_exact_is_refused(changed: Case, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(one("LOGISTIC", changed))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 LOGISTIC 'layer': ")
