"""Slices by computed indices against TensorFlow Lite Micro, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Array
from tests.support import layers
from tests.support.layers import Layers, Rng, pick
from tests.support.native import assert_equal_to_reference, native

Shape = tuple[int, ...]


def _shape(rng: Rng, least: int, most: int) -> Shape:
    return tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(least, most + 1))))


def _table(made: Layers, rng: Rng, shape: Shape) -> tuple[int, dict[str, Any]]:
    """A tensor to pick from, constant or an input, and the output's quantisation."""
    quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    if rng.random() < 0.5:
        return made.maker.const(rng.integers(-128, 128, shape, np.int8), **quantization), quantization
    return made.input(shape, **quantization), quantization


def gather(made: Layers, rng: Rng) -> tuple[int, tuple[int, ...]]:
    """A GATHER; its indices, and the end of each number of theirs."""
    shape = _shape(rng, 1, 4)
    axis = int(rng.integers(len(shape)))
    batch_dims = int(rng.integers(axis + 1)) if rng.random() < 0.4 else 0
    indices_shape = shape[:batch_dims] + _shape(rng, 0, 2)
    x, quantization = _table(made, rng, shape)
    indices = made.input(indices_shape, "int32")
    out = shape[:axis] + indices_shape[batch_dims:] + shape[axis + 1 :]
    y = made.output(out, **quantization, name=f"gather {shape} {axis} {indices_shape} {batch_dims}")
    written = axis - int(pick(rng, (0, len(shape))))
    made.maker.node("GATHER", [x, indices], [y], axis=written, batch_dims=batch_dims)
    return indices, (shape[axis],)


def gather_nd(made: Layers, rng: Rng) -> tuple[int, tuple[int, ...]]:
    """The same for GATHER_ND."""
    shape = _shape(rng, 1, 5)
    depth = int(rng.integers(1, len(shape) + 1))
    x, quantization = _table(made, rng, shape)
    indices_shape = (*_shape(rng, 0, 2), depth)
    indices = made.input(indices_shape, "int32")
    y = made.output(
        indices_shape[:-1] + shape[depth:], **quantization, name=f"gather_nd {shape} {indices_shape}"
    )
    made.maker.node("GATHER_ND", [x, indices], [y])
    return indices, shape[:depth]


def embedding_lookup(made: Layers, rng: Rng) -> tuple[int, tuple[int, ...]]:
    """The same for EMBEDDING_LOOKUP."""
    shape = _shape(rng, 2, 3)
    x, quantization = _table(made, rng, shape)
    indices = made.input((int(rng.integers(1, 6)),), "int32")
    count = made.maker.tensors[indices].shape[0]
    made.maker.node("EMBEDDING_LOOKUP", [indices, x], [made.output((count, *shape[1:]), **quantization)])
    return indices, shape[:1]


def add_constant(made: Layers, rng: Rng) -> None:
    """A GATHER_ND by constant indices, which needs the same kernel."""
    shape = _shape(rng, 2, 4)
    depth = int(rng.integers(1, len(shape)))
    indices = rng.integers(0, shape[:depth], (*_shape(rng, 0, 2), depth))
    quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}
    x = made.input(shape, **quantization)
    y = made.output(indices.shape[:-1] + shape[depth:], **quantization, name=f"gather_nd {shape} {indices}")
    made.maker.node("GATHER_ND", [x, made.maker.const(indices, dtype="int32")], [y])


def assert_random_layers_equal(seed: int, count: int) -> None:
    made, rng = Layers(), np.random.default_rng(seed)
    ends: dict[int, tuple[int, ...]] = {}
    for _ in range(count):
        for add in (gather, gather_nd, embedding_lookup):
            indices, end = add(made, rng)
            ends[indices] = end
        add_constant(made, rng)
    graph = made.graph()

    def sample() -> tuple[Array, ...]:
        tensors = [graph.tensors[i] for i in graph.inputs]
        return tuple(
            rng.integers(0, np.array(ends[t.index]), (*t.shape[:-1], t.shape[-1]) if t.shape else ())
            .astype(np.int32)
            .reshape(t.shape)
            if t.index in ends
            else rng.integers(-128, 128, t.shape, np.int8)
            for t in tensors
        )

    assert_equal_to_reference(graph, [sample() for _ in range(3)])


def test_random_layers() -> None:
    assert_random_layers_equal(71, 8)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(7100, 7110))
def test_many_random_layers(seed: int) -> None:
    assert_random_layers_equal(seed, 25)


def test_indices_outside_give_zeros() -> None:
    made = Layers()
    x = made.maker.const(np.arange(1, 9, dtype=np.int8).reshape(4, 2), scale=1.0)
    indices = made.input((5,), "int32")
    made.maker.node("GATHER", [x, indices], [made.output((5, 2), scale=1.0)])
    given = np.array([3, -1, 4, -(2**31), 2**31 - 1], np.int32)
    assert native(made.graph()).run([(given,)])[0][0].tolist() == [[7, 8], *[[0, 0]] * 4]


@pytest.mark.parametrize(
    ("op", "shape", "indices", "out", "options", "message"),
    [
        ("GATHER", (4, 2), (3,), (3, 3), {}, "it makes (3, 2)"),
        ("GATHER", (4, 2), (3,), (3, 2), {"batch_dims": 1}, "its batch_dims is 1, its axis 0"),
        ("GATHER", (4, 2), (3,), (4, 3), {"axis": 1, "batch_dims": 1}, "its batch_dims is 1"),
        ("GATHER_ND", (4, 2), (3, 3), (3,), {}, "indices of 3 numbers into 2 dimensions"),
        ("GATHER_ND", (4, 2), (3, 1), (3,), {}, "it makes (3, 2)"),
    ],
)
def test_what_does_not_fit_is_refused(
    op: str, shape: Shape, indices: Shape, out: Shape, options: dict[str, Any], message: str
) -> None:
    made = Layers()
    operands = [made.input(shape, scale=1.0), made.input(indices, "int32")]
    made.maker.node(op, operands, [made.output(out, scale=1.0, name="layer")], **options)
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(made.graph())
    assert message in caught.value.message


def test_indices_of_64_bits_are_refused_where_they_are_computed() -> None:
    made = Layers()
    operands = [made.input((4, 2), scale=1.0), made.input((3,), "int64")]
    made.maker.node("GATHER", operands, [made.output((3, 2), scale=1.0)])
    with pytest.raises(UnsupportedOp, match="is int64, the kernel takes int32"):
        ops.check(made.graph())
