"""Operators of int16 with int8 weights and of float32 against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from microwright import ops, verify
from microwright.errors import UnsupportedOp
from microwright.graph import Array, DType, Graph
from tests.ops import test_rearrange
from tests.support import types
from tests.support.layers import Layers
from tests.support.native import assert_equal_to_reference, native, references
from tests.support.operands import assert_equal_on_random_data, random_data
from tests.support.types import Add

_COUNT = 12
# What no reference has, and the converter does not make.
_NOWHERE: set[tuple[str, DType]] = {("DEPTH_TO_SPACE", "int16"), ("SPACE_TO_DEPTH", "int16")}


def _graph(add: Add, dtype: DType, seed: int, count: int = _COUNT) -> Graph:
    rng = np.random.default_rng(seed)
    made = Layers()
    for _ in range(count):
        add(made, rng, dtype)
    return made.graph()


def _samples(graph: Graph, seed: int) -> list[tuple[Array, ...]]:
    """The ends of the range, random values, and for floats such as are usual behind a layer."""
    rng = np.random.default_rng(seed)
    tensors = [graph.tensors[i] for i in graph.inputs]
    kind = np.dtype(tensors[0].dtype)
    ends = (-np.inf, np.inf) if kind.kind == "f" else (np.iinfo(kind.name).min, np.iinfo(kind.name).max)
    samples = [tuple(np.full(t.shape, end, kind) for t in tensors) for end in ends]
    samples += [tuple(random_data(rng, t.shape, t.dtype) for t in tensors) for _ in range(2)]
    if kind.kind == "f":
        samples.append(tuple(rng.normal(size=t.shape).astype(kind) for t in tensors))
    return samples


@pytest.mark.parametrize("dtype", ("int16", "float32"))
@pytest.mark.parametrize("op", types.EXACT)
def test_random_layers(op: str, dtype: DType) -> None:
    graph = _graph(types.EXACT[op], dtype, seed=1)
    assert_equal_to_reference(graph, _samples(graph, seed=2))


@pytest.mark.parametrize("dtype", ("int16", "float32"))
@pytest.mark.parametrize("in_micro", (True, False))
def test_what_only_moves_elements(in_micro: bool, dtype: DType) -> None:
    """All of them in one model, those apart that TensorFlow Lite Micro has not."""
    rng = np.random.default_rng(5)
    made = types.TypedLayers(dtype)
    for op, add in test_rearrange.OPERATORS.items():
        alone = types.TypedLayers(dtype)
        add(alone, np.random.default_rng(5))
        if ops.in_micro(alone.graph()) == in_micro and (op, dtype) not in _NOWHERE:
            for _ in range(3):
                add(made, rng)
    assert_equal_on_random_data(made.graph(), seed=6, samples=1)


# Units in the last place: of the C library's exponential and of this one, and what they grow to.
_ULPS = {"SOFTMAX": 6, "LOGISTIC": 2, "TANH": 4}


@pytest.mark.parametrize("op", types.EXPONENTIAL)
def test_exponentials_of_float32(op: str) -> None:
    graph = _graph(types.EXPONENTIAL[op], "float32", seed=1)
    samples = _samples(graph, seed=2)[2:]
    expected, actual = references(graph.flatbuffer, samples), native(graph).run(samples)
    assert verify.agreement("r", expected, actual).max_difference <= _ULPS[op]


@pytest.mark.parametrize("op", ("LOGISTIC", "TANH"))
def test_exponentials_at_their_ends(op: str) -> None:
    made = Layers()
    made.maker.node(op, [made.input((1, 4), "float32")], [made.output((1, 4), "float32")])
    (got,) = native(made.graph())([np.array([[-np.inf, np.inf, np.nan, 0.0]], np.float32)])
    least, zero = (0.0, 0.5) if op == "LOGISTIC" else (-1.0, 0.0)
    np.testing.assert_array_equal(got, np.array([[least, 1.0, np.nan, zero]], np.float32))


@pytest.mark.parametrize("op", ("LOGISTIC", "TANH"))
@pytest.mark.parametrize("scale", (2.0**-12, 2.0**-11, 2.0**-12 * 1.0004, 1e-7, 3e-4, 1.0))
def test_every_value_of_int16(op: str, scale: float) -> None:
    made = Layers()
    x = made.input((2**16,), "int16", scale=scale)
    made.maker.node(op, [x], [made.output((2**16,), "int16", scale=2.0**-15)])
    assert_equal_to_reference(made.graph(), [(np.arange(-(2**15), 2**15, dtype=np.int16),)])


@pytest.mark.parametrize("scale", (1e-5, 3e-4, 0.01))
def test_softmax_of_every_difference_of_int16(scale: float) -> None:
    made = Layers()
    x = made.input((2**15, 2), "int16", scale=scale)
    made.maker.node("SOFTMAX", [x], [made.output((2**15, 2), "int16", scale=2.0**-15)], beta=1.0)
    values = np.stack([np.full(2**15, 2**15 - 1), np.arange(-(2**15), 2**15, 2)], axis=1).astype(np.int16)
    assert_equal_to_reference(made.graph(), [(values,)])


@pytest.mark.parametrize("op", types.EXPONENTIAL)
def test_exponentials_of_int16(op: str) -> None:
    graph = _graph(types.EXPONENTIAL[op], "int16", seed=1)
    assert_equal_to_reference(graph, _samples(graph, seed=2))


def _dense(
    *,
    x: str = "int16",
    weights: str = "int8",
    bias: str = "int64",
    y: str = "int16",
    zero_point: int = 0,
    out_scale: float = 0.01,
    largest: int = 1,
    bias_value: int = 0,
) -> Graph:
    made = Layers()
    operands = [
        made.input((1, 4), x, scale=0.01, zero_point=zero_point),
        made.maker.const(np.full((2, 4), largest), dtype=weights, scales=[0.5, 0.5]),
        made.maker.const(np.full(2, bias_value), dtype=bias, scales=[0.005, 0.005]),
    ]
    out = made.output((1, 2), y, scale=out_scale, name="layer")
    made.maker.node("FULLY_CONNECTED", operands, [out])
    return made.graph()


def test_the_plain_layer_is_taken() -> None:
    ops.check(_dense())
    ops.check(_dense(bias="int32"))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (_dense(x="int8"), "tensor 'tensor_0' is int8, tensor 'layer' int16"),
        (_dense(y="float32"), "tensor 'tensor_0' is int16, tensor 'layer' float32"),
        (_dense(x="int32"), "is int32, the kernels take int8, int16, float32"),
        (_dense(weights="int16"), "is int16, expected int8"),
        (_dense(weights="float32"), "is float32, expected int8"),
        (_dense(bias="float32"), "is float32, expected int64 or int32"),
        (_dense(x="float32", y="float32"), "is float32, tensor 'tensor_1' int8"),
        (_dense(zero_point=3), "is int16 with zero point 3, expected 0"),
        (_dense(out_scale=2e-5), "factor of 250, in int16 it has to be below 128"),
        (_dense(bias_value=2**47), "output channel 0 can overflow 48 bits"),
        (_dense(bias="int32", bias_value=2**31 - 1), "output channel 0 can overflow 32 bits"),
    ],
)
def test_what_cannot_be_exact_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(graph)
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 FULLY_CONNECTED 'layer': ")


@pytest.mark.parametrize(
    ("op", "in_scale", "out_scale", "message"),
    [
        ("LOGISTIC", 0.01, 1 / 256, "output's scale is not 2^-15"),
        ("TANH", 4.0, 2.0**-15, "input's scale 4 is out of range"),
        ("SOFTMAX", 0.01, 1 / 256, "output's scale is not 2^-15"),
        ("SOFTMAX", 10.0, 2.0**-15, "beta 1 times the input's scale 10 is out of range"),
        ("RELU6", 0.01, 0.02, "input and output of int16 have different scales"),
    ],
)
def test_int16_functions_that_are_refused(op: str, in_scale: float, out_scale: float, message: str) -> None:
    made = Layers()
    y = made.output((1, 4), "int16", scale=out_scale, name="layer")
    options = {"beta": 1.0} if op == "SOFTMAX" else {}
    made.maker.node(op, [made.input((1, 4), "int16", scale=in_scale)], [y], **options)
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(made.graph())
    assert message in caught.value.message


def _depthwise(bias: str, taps: tuple[int, int]) -> Graph:
    made = Layers()
    operands = [
        made.input((1, *taps, 1), "int16", scale=0.01),
        made.maker.const(np.full((1, *taps, 1), -128), dtype="int8", scales=[0.5], axis=3),
        made.maker.const(np.ones(1), dtype=bias, scales=[0.005]),
    ]
    y = made.output((1, 1, 1, 1), "int16", scale=200.0, name="layer")
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "depth_multiplier": 1}
    made.maker.node("DEPTHWISE_CONV_2D", operands, [y], **options)
    return made.graph()


def test_the_largest_depthwise_window() -> None:
    graph = _depthwise("int64", (7, 73))
    ends = [(np.full((1, 7, 73, 1), end, np.int16),) for end in (-(2**15), 2**15 - 1)]
    assert_equal_to_reference(graph, ends)


@pytest.mark.parametrize(
    ("bias", "taps", "message"),
    [("int32", (1, 1), "bias is int32"), ("int64", (8, 64), "a window of 8 x 64 of int16")],
)
def test_depthwise_layers_that_are_refused(bias: str, taps: tuple[int, int], message: str) -> None:
    with pytest.raises(UnsupportedOp, match=message):
        ops.check(_depthwise(bias, taps))


def test_conversions_between_types() -> None:
    """QUANTIZE and DEQUANTIZE of every pair of types."""
    made = Layers()
    kinds: dict[str, dict[str, Any]] = {
        "int8": {"scale": 0.1, "zero_point": -7},
        "int16": {"scale": 4e-4},
        "float32": {},
    }
    for source, target in itertools.permutations(kinds, 2):
        for factor in (0.37, 1.0, 2.9):
            to = {**kinds[target], **({"scale": kinds[target]["scale"] * factor} if kinds[target] else {})}
            x = made.input((1, 300), source, **kinds[source])
            y = made.output((1, 300), target, **to, name=f"{source} to {target}, {factor}")
            made.maker.node("DEQUANTIZE" if target == "float32" else "QUANTIZE", [x], [y])
    x = made.input((1, 300), "int16", scale=0.1)
    made.maker.node("QUANTIZE", [x], [made.output((1, 300), "int16", scale=0.03)])
    assert_equal_on_random_data(made.graph(), seed=7)
