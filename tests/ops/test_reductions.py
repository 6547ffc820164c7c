"""Sums, extremes and their places against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.native import assert_equal_to_reference


def _shape(rng: Rng) -> tuple[int, ...]:
    rank = int(rng.integers(1, 5))
    return tuple(int(size) for size in rng.integers(1, 7, rank))


def _reduced(shape: tuple[int, ...], axes: Any, keep: bool) -> tuple[int, ...]:
    chosen = {int(axis) % len(shape) for axis in axes}
    return tuple(1 if i in chosen else n for i, n in enumerate(shape) if keep or i not in chosen)


def add_sum(made: Layers, rng: Rng) -> None:
    shape = _shape(rng)
    axes = rng.permutation(len(shape))[: int(rng.integers(1, len(shape) + 1))]
    keep = bool(rng.random() < 0.5)
    in_scale = layers.scale(rng)
    out_scale = float(np.float32(in_scale * 2.0 ** rng.uniform(-6, 10)))
    x = made.input(shape, scale=in_scale, zero_point=layers.zero_point(rng))
    y = made.output(
        _reduced(shape, axes, keep),
        scale=out_scale,
        zero_point=layers.zero_point(rng),
        name=f"sum {shape} {axes}",
    )
    made.maker.node("SUM", [x, made.maker.const(axes, dtype="int32")], [y], keep_dims=keep)


def add_reduce_max(made: Layers, rng: Rng) -> None:
    shape = _shape(rng)
    first = int(rng.integers(len(shape)))
    axes = np.arange(first, int(rng.integers(first, len(shape))) + 1)
    keep = bool(rng.random() < 0.5)
    quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    x = made.input(shape, **quantization)
    y = made.output(_reduced(shape, axes, keep), **quantization, name=f"max {shape} {axes}")
    made.maker.node("REDUCE_MAX", [x, made.maker.const(axes, dtype="int32")], [y], keep_dims=keep)


def add_arg(made: Layers, rng: Rng) -> None:
    shape = _shape(rng)
    axis = int(rng.integers(-len(shape), len(shape)))
    op = pick(rng, ("ARG_MAX", "ARG_MIN"))
    x = made.input(shape, scale=0.1)
    y = made.output(_reduced(shape, [axis], keep=False), "int32", name=f"{op} {shape} {axis}")
    operands = [x, made.maker.const(np.int32(axis))]
    made.maker.node(op, operands, [y], output_type=2)


def add_extremum(made: Layers, rng: Rng) -> None:
    """Over any axes, where `add_reduce_max` is over neighbouring ones."""
    shape = tuple(int(size) for size in rng.integers(1, 6, 4))
    axes = rng.permutation(4)[: int(rng.integers(1, 4))]
    op, keep = pick(rng, ("REDUCE_MAX", "REDUCE_MIN", "REDUCE_MIN")), bool(rng.random() < 0.5)
    quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    x = made.input(shape, **quantization)
    y = made.output(_reduced(shape, axes, keep), **quantization, name=f"{op} {shape} {axes}")
    made.maker.node(op, [x, made.maker.const(axes, dtype="int32")], [y], keep_dims=keep)


FAMILIES = (add_extremum, add_sum, add_reduce_max, add_arg)


@pytest.mark.parametrize("add", FAMILIES)
def test_random_layers(add: Any) -> None:
    assert_random_layers_equal(add, seed=91, count=15)


@pytest.mark.thorough
@pytest.mark.parametrize("add", FAMILIES)
def test_many_random_layers(add: Any) -> None:
    for seed in range(9100, 9104):
        assert_random_layers_equal(add, seed=seed, count=60)


@pytest.mark.parametrize("op", ["REDUCE_ANY", "REDUCE_ALL"])
def test_truth_values(op: str) -> None:
    made, rng = Layers(), np.random.default_rng(5)
    for shape, axes, keep in (((3, 4, 5), [1], False), ((2, 3, 4), [0, 2], True), ((7,), [0], False)):
        x = made.input(shape, "bool")
        y = made.output(_reduced(shape, axes, keep), "bool", name=f"{op} {shape} {axes}")
        made.maker.node(op, [x, made.maker.const(axes, dtype="int32")], [y], keep_dims=keep)
    graph = made.graph()
    shapes = [graph.tensors[i].shape for i in graph.inputs]
    share = {"REDUCE_ANY": 0.2, "REDUCE_ALL": 0.8}[op]
    assert_equal_to_reference(graph, [tuple(rng.random(shape) < share for shape in shapes) for _ in range(3)])


@pytest.mark.parametrize(
    ("op", "shape", "axes", "out", "message"),
    [
        ("SUM", (2, 3), [2], {"shape": (2,), "scale": 1.0}, "axis 2 of a tensor of 2 dimensions"),
        ("SUM", (2, 3), [1], {"shape": (2,), "scale": 1e-10}, "factor of 1e+10"),
        (
            "SUM",
            (4096, 4096),
            [0, 1],
            {"shape": (), "scale": 1.0},
            "a sum of more than 8388608 values is too large",
        ),
        ("REDUCE_MAX", (2, 3), [1], {"shape": (2,), "scale": 2.0}, "different scales or zero points"),
        ("REDUCE_MIN", (2, 3), [1], {"shape": (2,), "scale": 2.0}, "different scales or zero points"),
        ("REDUCE_ANY", (2, 3), [1], {"shape": (2,), "dtype": "bool"}, "is int8, the kernel takes bool"),
        ("ARG_MAX", (2, 3), [1], {"shape": (2,), "dtype": "int64"}, "is int64, the kernel takes int32"),
        ("ARG_MIN", (2, 3), [1], {"shape": (3,), "dtype": "int32"}, "of (2, 3) it makes (3,)"),
        ("ARG_MIN", (2, 3), [0, 1], {"shape": (), "dtype": "int32"}, "it has 2 axes"),
    ],
)
def test_what_cannot_be_exact_is_refused(
    op: str, shape: tuple[int, ...], axes: list[int], out: dict[str, Any], message: str
) -> None:
    made = Layers()
    operands = [made.input(shape, scale=1.0), made.maker.const(axes, dtype="int32")]
    made.maker.node(op, operands, [made.output(**out, name="layer")])
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(made.graph())
    assert message in caught.value.message
    assert caught.value.message.startswith(f"node 0 {op} 'layer': ")
