"""Comparisons, LOGICAL_AND, LOGICAL_OR, LOGICAL_NOT, SELECT, SELECT_V2 and CAST against the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Layers, Rng, pick
from tests.support.native import assert_equal_to_reference
from tests.support.operands import assert_equal_on_random_data, broadcast_shapes, random_data, scale_ratio

COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")


def add_comparison(made: Layers, rng: Rng) -> None:
    op = pick(rng, COMPARISONS)
    a, b, shape = broadcast_shapes(rng)
    if len(shape) > 4:
        return
    dtype = pick(rng, ("int8", "int8", "int8", "int32"))
    if dtype == "int8":
        scale = float(np.float32(2.0 ** rng.uniform(-20, -0.01)))
        second = min(float(np.float32(scale * scale_ratio(rng, -2, 2))), 0.999)
        quantization: list[dict[str, Any]] = [
            {"scale": scale, "zero_point": layers.zero_point(rng)} for scale in (scale, second)
        ]
    else:
        quantization = [{}, {}]
    x1 = made.input(a, dtype, **quantization[0])
    x2 = made.input(b, dtype, **quantization[1])
    y = made.output(shape, "bool", name=f"{op} {dtype} {a} {b} {quantization}")
    made.maker.node(op, [x1, x2] if rng.random() < 0.5 else [x2, x1], [y])


def add_select(made: Layers, rng: Rng) -> None:
    """With constant truth values: those of a model's input have to be 0 or 1."""
    a, b, shape = broadcast_shapes(rng)
    dtype = pick(rng, ("int8", "int8", "float32"))
    quantization: dict[str, Any] = {}
    if dtype == "int8":
        quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    truths = pick(rng, (shape, shape[-1:], ()))
    operands = [
        made.maker.const(rng.random(truths) < 0.5),
        *(made.input(x, dtype, **quantization) for x in (a, b)),
    ]
    y = made.output(shape, dtype, **quantization, name=f"select {truths} {a} {b}")
    made.maker.node("SELECT_V2", operands, [y])


def add_cast(made: Layers, rng: Rng) -> None:
    """From floats in tests of their own: what is too large for integers depends on the machine."""
    source, to = pick(rng, ("int8", "int16", "int32")), pick(rng, ("int8", "int16", "int32", "float32"))
    widths = {"int8": 1, "int16": 2, "int32": 4, "float32": 4}
    if to != "float32" and widths[to] < widths[source]:
        return
    shape = (int(rng.integers(1, 30)),)
    made.maker.node("CAST", [made.input(shape, source)], [made.output(shape, to, name=f"cast {source} {to}")])


FAMILIES: tuple[Callable[[Layers, Rng], None], ...] = (add_comparison, add_select, add_cast)


@pytest.mark.parametrize("add", FAMILIES)
def test_random_layers(add: Any) -> None:
    rng, made = np.random.default_rng(31), Layers()
    for _ in range(15):
        add(made, rng)
    assert_equal_on_random_data(made.graph(), seed=31)


@pytest.mark.thorough
@pytest.mark.parametrize("add", FAMILIES)
@pytest.mark.parametrize("seed", range(3100, 3105))
def test_many_random_layers(add: Any, seed: int) -> None:
    rng, made = np.random.default_rng(seed), Layers()
    for _ in range(60):
        add(made, rng)
    assert_equal_on_random_data(made.graph(), seed=seed)


@pytest.mark.parametrize("op", COMPARISONS)
def test_every_pair_of_values(op: str) -> None:
    made = Layers()
    column = np.arange(-128, 128, dtype=np.int8)[:, None]
    for first, second in ((0.25, 0.25), (0.9, 0.3), (1e-5, 2e-3)):
        a = made.input((256, 1), scale=first, zero_point=3)
        b = made.input((1, 256), scale=second, zero_point=-7)
        made.maker.node(op, [a, b], [made.output((256, 256), "bool")])
    assert_equal_to_reference(made.graph(), [(column, column.T.copy()) * 3])


def test_truth_values() -> None:
    made, rng = Layers(), np.random.default_rng(2)
    for op in ("LOGICAL_AND", "LOGICAL_OR", "EQUAL", "NOT_EQUAL"):
        for a, b in (((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((2, 1, 4), (3, 1)), ((), (5,))):
            shape = np.broadcast_shapes(a, b)
            operands = [made.input(a, "bool"), made.input(b, "bool")]
            made.maker.node(op, operands, [made.output(shape, "bool", name=f"{op} {a} {b}")])
    made.maker.node("LOGICAL_NOT", [made.input((3, 5), "bool")], [made.output((3, 5), "bool")])
    graph = made.graph()
    shapes = [graph.tensors[i].shape for i in graph.inputs]
    assert_equal_to_reference(graph, [tuple(random_data(rng, s, "bool") for s in shapes) for _ in range(3)])


SELECTS = (
    ("SELECT", (2, 3), (2, 3), (2, 3), "int8"),
    ("SELECT", (2,), (2, 3), (2, 3), "int8"),
    ("SELECT", (), (2, 3), (2, 3), "int32"),
    ("SELECT_V2", (4, 1), (3,), (), "int32"),
    ("SELECT_V2", (1, 3), (4, 3), (4, 1), "int8"),
    ("SELECT_V2", (2, 3), (2, 3), (2, 3), "float32"),
)


@pytest.mark.parametrize(("op", "truths", "a", "b", "dtype"), SELECTS)
def test_selects_by_computed_truth_values(
    op: str, truths: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...], dtype: str
) -> None:
    made, rng = Layers(), np.random.default_rng(3)
    quantization = {"scale": 0.5, "zero_point": 3} if dtype == "int8" else {}
    operands = [made.input(truths, "bool"), *(made.input(x, dtype, **quantization) for x in (a, b))]
    shape = a if op == "SELECT" else np.broadcast_shapes(truths, a, b)
    made.maker.node(op, operands, [made.output(shape, dtype, **quantization)])
    graph = made.graph()
    tensors = [graph.tensors[i] for i in graph.inputs]
    samples = [tuple(random_data(rng, t.shape, t.dtype) for t in tensors) for _ in range(4)]
    assert_equal_to_reference(graph, samples)


CASTS: Mapping[tuple[str, str], Any] = {
    ("float32", "int8"): np.array([-128.0, -127.9, -0.9, 0.0, 0.99, 1.5, 126.99, 127.0]),
    ("float32", "int32"): np.array([-(2.0**31), -1.5, -0.0, 3.99, 1e-30, 16777217.0, 2147483520.0, 7.0]),
    ("float32", "bool"): np.array([-1.5, -0.0, 0.0, 1e-40, 3.0, 0.5, np.inf, 256.0]),
    ("uint8", "float32"): np.arange(248, 256),
    ("bool", "float32"): np.array([0, 1, 1, 0, 1, 0, 0, 1]),
    ("bool", "int32"): np.array([0, 1, 1, 0, 1, 0, 0, 1]),
    ("int32", "int8"): np.arange(-4, 4),
    ("int8", "bool"): np.arange(-4, 4),
}


@pytest.mark.parametrize(("source", "to"), CASTS)
def test_casts(source: str, to: str) -> None:
    made = Layers()
    made.maker.node("CAST", [made.input((8,), source)], [made.output((8,), to)])
    assert_equal_to_reference(made.graph(), [(CASTS[source, to].astype(source),)])


def _refused(op: str, inputs: list[dict[str, Any]], out: dict[str, Any]) -> str:
    made = Layers()
    operands = [made.input(**{"shape": (1, 4), **one}) for one in inputs]
    made.maker.node(op, operands, [made.output(**{"shape": (1, 4), **out}, name="layer")])
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(made.graph())
    assert caught.value.message.startswith(f"node 0 {op} 'layer': ")
    return caught.value.message


def test_what_cannot_be_exact_is_refused() -> None:
    small, large, truth = {"scale": 0.5}, {"scale": 2.0}, {"dtype": "bool"}
    assert "has the scale 2" in _refused("LESS", [small, large], truth)
    assert "is int8, the kernel takes bool" in _refused("LESS", [small, small], small)
    assert "is bool, the kernel takes int8 or int32" in _refused("LESS", [truth, truth], truth)
    assert "is int8, the kernel takes bool" in _refused("LOGICAL_OR", [truth, small], truth)
    assert "do not give the output's" in _refused("LESS", [small, {**small, "shape": (1, 3)}], truth)
    assert "is int8, the kernel takes bool" in _refused("SELECT_V2", [small, small, small], small)
    assert "is int64" in _refused("CAST", [{"dtype": "int64"}], {"dtype": "int32"})
    assert "has 4 elements, output 3" in _refused("CAST", [small], {"dtype": "int32", "shape": (1, 3)})
    assert "have different scales" in _refused("SELECT_V2", [truth, small, large], small)
    small, large = ({"dtype": "int16", **each} for each in (small, large))
    assert "have different scales" in _refused("SELECT_V2", [truth, small, small], large)
