"""CONCATENATION against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from microwright.plan import plan
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.operands import assert_equal_on_random_data, random_data


def add_concatenation(made: Layers, rng: Rng, dtype: Any = "int8") -> None:
    rank = int(rng.integers(1, 5))
    shape = rng.integers(1, 5, rank)
    axis = int(rng.integers(rank))
    quantization: dict[str, Any] = {}
    if dtype == "int8":
        quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    operands: list[int] = []
    sizes = rng.integers(1, 6, int(rng.integers(1, 11)))
    for size in sizes:
        part = [int(n) for n in shape]
        part[axis] = int(size)
        match int(rng.integers(8)):
            case 0:
                operands.append(made.maker.const(random_data(rng, part, dtype), **quantization))
            case 1 if operands and made.maker.tensors[operands[-1]].shape == tuple(part):
                operands.append(operands[-1])
            case _:
                operands.append(made.input(part, dtype, **quantization))
    shape[axis] = sizes.sum()
    y = made.output(
        [int(n) for n in shape], dtype, **quantization, name=f"concatenation {sizes.tolist()} {axis=} {rank=}"
    )
    made.maker.node("CONCATENATION", operands, [y], axis=pick(rng, (axis, axis - rank)))


def test_random_layers() -> None:
    assert_random_layers_equal(add_concatenation, seed=51, count=20)


@pytest.mark.parametrize("dtype", ["float32", "int16", "int32", "int64", "bool"])
def test_other_types(dtype: str) -> None:
    made = Layers()
    rng = np.random.default_rng(52)
    for _ in range(3):
        add_concatenation(made, rng, dtype)
    assert_equal_on_random_data(made.graph(), seed=53)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(5100, 5106))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_concatenation, seed=seed, count=40)


def concatenation(
    a: tuple[int, ...] = (1, 2, 3),
    b: tuple[int, ...] = (1, 2, 4),
    y: tuple[int, ...] = (1, 2, 7),
    *,
    dtype: str = "int8",
    scale: float = 1.0,
    axis: int = 2,
    **options: Any,
) -> Graph:
    made = Layers()
    inputs = [made.input(a, scale=1.0, name="a"), made.input(b, dtype, scale=scale, name="b")]
    made.maker.node("CONCATENATION", inputs, [made.output(y, scale=1.0, name="layer")], axis=axis, **options)
    return made.graph()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "uint8"}, "input 'b' is uint8"),
        ({"scale": 2.0}, "input 'b' has another scale or zero point than the output"),
        ({"b": (1, 3, 4)}, "input 'b' is int8 (1, 3, 4), which does not fit int8 (1, 2, 7)"),
        ({"b": (2, 4)}, "input 'b' is int8 (2, 4), which does not fit"),
        ({"b": ()}, "input 'b' is int8 (), which does not fit"),
        ({"y": (1, 2, 8)}, "inputs add up to 7 along axis 2, the output has 8"),
        ({"axis": 3}, "axis 3 of 3 dimensions"),
        ({"axis": -4}, "axis -4 of 3 dimensions"),
        ({"fused_activation_function": "RELU"}, "fused activation RELU"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(concatenation(**changes))
    assert message in caught.value.message
    assert caught.value.message.startswith("node 0 CONCATENATION 'layer': ")


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_the_first_input_moves_within_the_output(dtype: Any) -> None:
    made = Layers()
    quantization: dict[str, Any] = {"scale": 0.5, "zero_point": 3} if dtype == "int8" else {}
    operands = [made.input((1, 8, 8, channels), dtype, **quantization) for channels in (12, 4)]
    y = made.output((1, 8, 8, 16), dtype, **quantization)
    made.maker.node("CONCATENATION", operands, [y], axis=3)
    graph = made.graph()
    # The output and the second input, and no place for the first.
    item_bytes = 1 if dtype == "int8" else 4
    assert plan(graph).arena_bytes == (64 * 16 + 64 * 4) * item_bytes
    assert_equal_on_random_data(graph, seed=54)
