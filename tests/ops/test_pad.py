"""PAD and PADV2 against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick


def add_pad(made: Layers, rng: Rng) -> None:
    rank = int(rng.integers(1, 6))
    shape = tuple(int(size) for size in rng.integers(1, 6 if rank < 5 else 4, rank))
    paddings = rng.integers(0, 4, (rank, 2)) * (rng.random((rank, 1)) < 0.5)
    paddings[int(rng.integers(rank))] = 0 if rank == 5 else paddings[0]
    scale, zero_point = layers.scale(rng), layers.zero_point(rng)
    x = made.input(shape, scale=scale, zero_point=zero_point)
    operands = [x, made.maker.const(paddings, dtype="int32")]
    op = pick(rng, ("PAD", "PADV2"))
    if op == "PADV2":
        value = np.full(pick(rng, ((), (1,))), rng.integers(-128, 128), np.int8)
        operands.append(made.maker.const(value, scale=scale, zero_point=zero_point))
    y = made.output(
        tuple(int(size) for size in shape + paddings.sum(axis=1)),
        scale=scale,
        zero_point=zero_point,
        name=f"{op} {shape} {paddings.tolist()} {zero_point=}",
    )
    made.maker.node(op, operands, [y])


def test_random_layers() -> None:
    assert_random_layers_equal(add_pad, seed=31, count=25)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3100, 3106))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_pad, seed=seed, count=60)


def pad(
    shape: tuple[int, ...] = (1, 2, 2, 3),
    paddings: Any = ((0, 0), (1, 1), (0, 2), (0, 0)),
    out: tuple[int, ...] = (1, 4, 4, 3),
    *,
    dtype: str = "int8",
    value: Any = None,
    value_scale: float = 1.0,
    constant: bool = True,
) -> Graph:
    made = Layers()
    operands = [made.input(shape, dtype, scale=1.0)]
    if constant:
        operands.append(made.maker.const(np.array(paddings, np.int32)))
    else:
        operands.append(made.input(np.shape(paddings), "int32"))
    if value is not None:
        operands.append(made.maker.const(value, scale=value_scale))
    y = made.output(out, dtype, scale=1.0, name="layer")
    made.maker.node("PAD" if value is None else "PADV2", operands, [y])
    return made.graph()


def test_the_plain_layer_is_taken() -> None:
    ops.check(pad())
    ops.check(pad(value=np.int8(5)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "int64"}, "is int64, the kernels take int8, int16, float32"),
        ({"constant": False}, "paddings are not a constant"),
        ({"paddings": ((0, 0), (1, 1), (0, 2))}, "two integers an axis"),
        ({"paddings": ((0, 0), (-1, 3), (0, 2), (0, 0))}, "negative padding"),
        ({"out": (1, 4, 5, 3)}, "padding gives (1, 4, 4, 3), the output is (1, 4, 5, 3)"),
        ({"shape": (1,) * 5, "paddings": ((1, 0),) * 5, "out": (2,) * 5}, "padding of 5 axes"),
        ({"value": np.zeros(2, np.int8)}, "not one constant"),
        ({"value": np.float32(0)}, "is int8, tensor 'tensor_2' float32"),
        ({"value": np.int8(0), "value_scale": 2.0}, "another scale or zero point"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(pad(**changes))
    assert message in caught.value.message
    assert "'layer': " in caught.value.message
