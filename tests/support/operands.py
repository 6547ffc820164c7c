"""Random shapes of two operands, and graphs compared with the reference on random data of any type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microwright.graph import Array, DType, Graph
from tests.support.layers import Rng, pick
from tests.support.native import assert_equal_to_reference

Shape = tuple[int, ...]


def broadcast_shapes(rng: Rng) -> tuple[Shape, Shape, Shape]:
    """Shapes of two operands and of their result; equal, or broadcast along up to all axes of up to five."""
    rank = int(rng.integers(1, 6))
    shape = tuple(int(size) for size in rng.integers(1, 6 if rank < 5 else 4, rank))
    match int(rng.integers(4)):
        case 0:
            return shape, shape, shape
        case 1:
            return shape, pick(rng, ((), (1,), (1,) * rank)), shape
        case 2:
            # The usual one: a value a channel.
            return shape, pick(rng, (shape[-1:], (1,) * (rank - 1) + shape[-1:])), shape
        case _:
            # Five axes may alternate more often than the kernels have loops.
            shape = shape[-4:]
            axes = [pick(rng, ("both", "both", "first", "second")) for _ in shape]
            a = tuple(1 if axis == "second" else size for axis, size in zip(axes, shape, strict=True))
            b = tuple(1 if axis == "first" else size for axis, size in zip(axes, shape, strict=True))
            b = b[int(rng.integers(0, 1 + _leading_ones(b))) :]
            return a, b, shape


def _leading_ones(shape: Shape) -> int:
    return next((i for i, size in enumerate(shape) if size != 1), len(shape))


def scale_ratio(rng: Rng, low: float, high: float) -> float:
    """Ratio of two scales: about 1, a power of two (which gives ties), or anything from 2**low to 2**high."""
    match int(rng.integers(6)):
        case 0 | 1:
            return float(2.0 ** rng.uniform(low, high))
        case 2 | 3:
            return float(2.0 ** rng.integers(-4, 5))
        case _:
            return float(2.0 ** rng.uniform(-2, 2))


def random_data(rng: Rng, shape: Sequence[int], dtype: DType) -> Array:
    """Values over the whole range of an integer type, floats of every magnitude that fits it."""
    if dtype == "float32":
        values = rng.normal(size=tuple(shape)) * 10.0 ** rng.uniform(-3, 3, tuple(shape))
        return np.asarray(values, np.float32)
    if dtype == "bool":
        return np.asarray(rng.integers(0, 2, tuple(shape)), np.bool_)
    limits = np.iinfo(dtype)
    return np.asarray(rng.integers(limits.min, limits.max, tuple(shape), np.dtype(dtype), endpoint=True))


def assert_equal_on_random_data(graph: Graph, *, seed: int, samples: int = 3) -> None:
    """The compiled graph gives the reference's bytes on random inputs of its types."""
    rng = np.random.default_rng(seed)
    tensors = [graph.tensors[i] for i in graph.inputs]
    assert_equal_to_reference(
        graph, [tuple(random_data(rng, t.shape, t.dtype) for t in tensors) for _ in range(samples)]
    )
