"""ABS, ELU, HARD_SWISH, LEAKY_RELU, RSQRT and TANH against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops, passes
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Layers, Rng
from tests.support.native import assert_equal_to_reference
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


CASES = [
    ("ABS", _anything, {}),
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
        ("NEG", Case(1.0, 0, 1.0, 0, "int8", "uint8"), "is uint8"),
        ("SQRT", Case(1.0, 0, 1.0, 0), "has its own rounding"),
        (
            "HARD_SWISH",
            Case(1.0, 0, 1e-3, 0),
            "scales 1 of the input and 0.001 of the output are out of range",
        ),
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


FUNCTIONS = ("ELU", "NEG", "SQRT", "SQUARE")


def _between_floats(made: Layers, rng: Rng, op: str) -> None:
    scale = float(np.float32(2.0 ** rng.uniform(-8, -3)))
    # The reference has no square roots of negative numbers.
    zero_point = -128 if op == "SQRT" else layers.zero_point(rng)
    x = made.input((256,), scale=scale, zero_point=zero_point)
    floats = [made.maker.tensor((256,), "float32") for _ in range(2)]
    y = made.output(
        (256,), scale=float(np.float32(2.0 ** rng.uniform(-8, 0))), zero_point=layers.zero_point(rng)
    )
    made.maker.node("DEQUANTIZE", [x], floats[:1])
    made.maker.node(op, floats[:1], floats[1:])
    made.maker.node("QUANTIZE", floats[1:], [y])


def test_functions_of_float32_between_int8_are_tables() -> None:
    made, rng = Layers(), np.random.default_rng(53)
    for op in FUNCTIONS * 8:
        _between_floats(made, rng, op)
    graph = made.graph()
    assert [node.op for node in passes.run(graph).nodes] == list(FUNCTIONS * 8)
    values = np.arange(-128, 128).astype(np.int8)
    assert_equal_to_reference(graph, [(values,) * len(graph.inputs)])


@pytest.mark.parametrize("reader", ["DEQUANTIZE", "NEG"])
def test_functions_whose_floats_are_needed_stay(reader: str) -> None:
    made = Layers()
    x = made.input((4,), scale=0.5)
    a, b = (made.maker.tensor((4,), "float32") for _ in range(2))
    made.outputs.append(a if reader == "DEQUANTIZE" else b)
    made.maker.node("DEQUANTIZE", [x], [a])
    made.maker.node("NEG", [a], [b])
    made.maker.node("QUANTIZE", [b], [made.output((4,), scale=0.5)])
    found = [node.op for node in passes.run(made.graph()).nodes]
    expected = {"DEQUANTIZE": ["DEQUANTIZE", "NEG"], "NEG": ["DEQUANTIZE", "NEG", "QUANTIZE"]}
    assert found == expected[reader]


def test_leaky_relu_with_ties() -> None:
    """Half of every second value: the product of scale and alpha is not rounded before it is divided."""
    cases = [Case(0.00320048863068223, -28, 0.01280195452272892, 127), Case(15.0, 127, 210.0, 0)]
    for alpha in (3.0, 21.0):
        assert_equal_for_every_value("LEAKY_RELU", cases, alpha=alpha)
