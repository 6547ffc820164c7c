"""Functions of one int8 tensor against the reference, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Rng
from tests.support.operands import scale_ratio
from tests.support.unary import Case, assert_equal_for_every_value, one


def _anything(rng: Rng) -> Case:
    scale = layers.scale(rng)
    out_scale = float(np.float32(scale * scale_ratio(rng, -18, 20)))
    return Case(scale, layers.zero_point(rng), out_scale, layers.zero_point(rng))


def _hard_swish(rng: Rng) -> Case:
    scale = float(np.float32(2.0 ** rng.uniform(-14, 6)))
    out_scale = float(np.float32(scale * 2.0 ** rng.uniform(-6, 6)))
    return Case(scale, layers.zero_point(rng), out_scale, layers.zero_point(rng))


def _rsqrt(rng: Rng) -> Case:
    # The reference fails at values below zero.
    scale = layers.scale(rng)
    out_scale = float(np.float32(scale**-0.5 / 100 * scale_ratio(rng, -8, 8)))
    return Case(scale, -128, out_scale, layers.zero_point(rng))


def _tanh(rng: Rng) -> Case:
    exponent = rng.uniform(-27, 6) if rng.random() < 0.3 else rng.uniform(-8, 0)
    return Case(float(np.float32(2.0**exponent)), layers.zero_point(rng), 1 / 128, 0)


def _exp(rng: Rng) -> Case:
    scale = float(np.float32(2.0 ** rng.uniform(-12, -2)))
    return Case(
        scale, layers.zero_point(rng), float(np.float32(2.0 ** rng.uniform(-8, 4))), layers.zero_point(rng)
    )


def _gelu(rng: Rng) -> Case:
    scale = float(np.float32(2.0 ** rng.uniform(-9, -3)))
    out_scale = float(np.float32(scale * 2.0 ** rng.uniform(-2, 1)))
    return Case(scale, layers.zero_point(rng), out_scale, layers.zero_point(rng))


def _sqrt(rng: Rng) -> Case:
    scale = layers.scale(rng)
    out_scale = float(np.float32(scale**0.5 / 10 * scale_ratio(rng, -4, 4)))
    return Case(scale, -128, out_scale, layers.zero_point(rng))


CASES = [
    ("ABS", _anything, {}),
    *[("GELU", _gelu, {"approximate": approximate}) for approximate in (False, True)],
    ("SQRT", _sqrt, {}),
    ("EXP", _exp, {}),
    ("LOG", _exp, {}),
    ("ELU", _anything, {}),
    ("HARD_SWISH", _hard_swish, {}),
    *[("LEAKY_RELU", _anything, {"alpha": alpha}) for alpha in (0.2, 0.0, 3.0)],
    ("RSQRT", _rsqrt, {}),
    ("TANH", _tanh, {}),
]


@pytest.mark.parametrize(("op", "case", "options"), CASES)
def test_every_value_in_random_cases(op: str, case: Any, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(51)
    assert_equal_for_every_value(op, [case(rng) for _ in range(40)], **options)


@pytest.mark.thorough
@pytest.mark.parametrize(("op", "case", "options"), CASES)
def test_every_value_in_many_random_cases(op: str, case: Any, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(5100)
    for _ in range(10):
        assert_equal_for_every_value(op, [case(rng) for _ in range(100)], **options)


@pytest.mark.parametrize(
    ("op", "changed", "message"),
    [
        ("ABS", Case(1.0, 0, 1e-10, 0), "factor of 1e+10"),
        ("ABS", Case(1.0, 0, 1.0, 0, "float32", "float32"), "is float32"),
        ("ELU", Case(1.0, 0, 1.0, 0, "float32", "float32"), "it is computed in float32"),
        ("NEG", Case(1.0, 0, 1.0, 0), "it is computed in float32"),
        ("GELU", Case(1.0, 0, 1.0, 0, "float32", "float32"), "it is computed in float32"),
        (
            "HARD_SWISH",
            Case(1.0, 0, 1e-3, 0),
            "scales 1 of the input and 0.001 of the output are out of range",
        ),
        ("HARD_SWISH", Case(3e38, 0, 1e-38, 0), "scales 3e+38 of the input and 1e-38 of the output"),
        ("LEAKY_RELU", Case(1.0, 0, 1e-10, 0), "factor of 1e+10"),
        ("RSQRT", Case(1e-20, 0, 1e-10, 0), "factor of 1e+20"),
        ("RSQRT", Case(1.0, 0, 1e6, 0), "factor of 1e-06"),
        ("TANH", Case(0.1, 0, 1 / 256, -128), "output's scale is not 1/128 with zero point 0"),
        ("TANH", Case(1e-9, 0, 1 / 128, 0), "input's scale 1e-09 is out of range"),
    ],
)
def test_what_cannot_be_exact_is_refused(op: str, changed: Case, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(one(op, changed))
    assert message in caught.value.message
    assert caught.value.message.startswith(f"node 0 {op} 'layer': ")


def test_leaky_relu_with_ties() -> None:
    """Half of every second value: the product of scale and alpha is not rounded before it is divided."""
    cases = [Case(0.00320048863068223, -28, 0.01280195452272892, 127), Case(15.0, 127, 210.0, 0)]
    for alpha in (3.0, 21.0):
        assert_equal_for_every_value("LEAKY_RELU", cases, alpha=alpha)
