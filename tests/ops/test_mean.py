"""MEAN against TensorFlow Lite Micro, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick


def add_mean(
    made: Layers,
    rng: Rng,
    shape: tuple[int, ...] | None = None,
    axes: Any = None,
    off: float | None = None,
) -> None:
    if shape is None:
        rank = int(pick(rng, (1, 2, 3, 4, 4, 4, 5)))
        shape = tuple(int(pick(rng, (1, 2, 3, 4, 5, 7))) for _ in range(rank))
    if axes is None:
        axes = [a for a in range(len(shape)) if rng.random() < 0.5] or [int(rng.integers(len(shape)))]
        axes = [int(pick(rng, (a, a - len(shape)))) for a in rng.permutation(axes)]
    reduced = {axis % len(shape) for axis in axes}
    keep_dims = rng.random() < 0.5
    kept = [1 if a in reduced else n for a, n in enumerate(shape) if keep_dims or a not in reduced]
    in_scale, in_zp, out_zp = layers.scale(rng), layers.zero_point(rng), layers.zero_point(rng)
    if off is None:
        # Ratios far from 1 now and then, and powers of two, which give exact ties to round.
        off = 2.0 ** pick(rng, (0, 1, -1, rng.uniform(-20, 33), rng.uniform(-3, 3), rng.uniform(-3, 3)))
    x = made.input(shape, scale=in_scale, zero_point=in_zp)
    a = made.maker.const(np.array(axes, np.int32))
    y = made.output(
        kept, scale=in_scale * off, zero_point=out_zp, name=f"mean {shape} {axes} {in_zp=} {out_zp=} {off=}"
    )
    made.maker.node("MEAN", [x, a], [y], keep_dims=keep_dims)


def add_global_pool(made: Layers, rng: Rng) -> None:
    add_mean(
        made, rng, (1, int(rng.integers(1, 20)), int(rng.integers(1, 20)), 5), pick(rng, ([1, 2], [-2, 1]))
    )


def test_random_layers() -> None:
    assert_random_layers_equal(add_mean, seed=1, count=30)


def test_over_height_and_width() -> None:
    assert_random_layers_equal(add_global_pool, seed=2, count=10)


def test_axes_that_alternate_and_repeat() -> None:
    def add(made: Layers, rng: Rng) -> None:
        add_mean(made, rng, (2, 3, 2, 3, 2, 3), [0, 2, 4])
        add_mean(made, rng, (2, 3, 2, 3, 2, 3), [1, 3, 5, -1, 3])
        add_mean(made, rng, (2, 1, 3, 1, 2, 3, 2), [0, 4, 6, 1])

    assert_random_layers_equal(add, seed=3, count=2)


def test_factors_of_every_magnitude() -> None:
    def add(made: Layers, rng: Rng) -> None:
        for exponent in range(-24, 34):
            add_mean(made, rng, (3, 17), [1], 2.0 ** (exponent + rng.uniform(0, 1)))

    assert_random_layers_equal(add, seed=4, count=1)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 115))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(add_mean, seed=seed, count=40)
    assert_random_layers_equal(add_global_pool, seed=seed, count=10)


def mean(
    *,
    shape: tuple[int, ...] = (1, 4, 4, 3),
    axes: Any = (1, 2),
    axes_dtype: str = "int32",
    out_shape: tuple[int, ...] = (1, 3),
    out_scale: float = 1.0,
    **options: Any,
) -> Graph:
    """A mean over height and width that the engine takes, but for what the caller changes."""
    made = Layers()
    x = made.input(shape, scale=1.0)
    a = made.maker.const(np.array(axes, axes_dtype))
    y = made.output(out_shape, scale=out_scale, name="layer")
    made.maker.node("MEAN", [x, a], [y], **options)
    return made.graph()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": (1, 4)}, "axis 4 of a tensor of 4 dimensions"),
        ({"axes": (-5,)}, "axis -5 of a tensor of 4 dimensions"),
        ({"axes_dtype": "int64"}, "axes are not constant int32"),
        ({"keep_dims": True}, "shape [1, 3], expected [1, 1, 1, 3]"),
        ({"out_shape": (1, 4)}, "shape [1, 4], expected [1, 3]"),
        ({"out_scale": 1e-10}, "factor of 1e+10"),
        (
            {"shape": (2,) * 8, "axes": (0, 2, 4, 6), "out_shape": (2,) * 4},
            "axes [0, 2, 4, 6] of 8 dimensions alternate too often",
        ),
        ({"shape": (1, 4096, 4096, 1), "out_shape": (1, 1)}, "mean of more than 8388608 values is too large"),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    ops.check(mean())
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(mean(**changes))
    assert message in caught.value.message
