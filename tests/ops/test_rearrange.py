"""The operators that only move elements against TensorFlow Lite Micro, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from microwright import ops
from microwright.errors import UnsupportedOp
from microwright.graph import Graph
from tests.support import layers
from tests.support.layers import Layers, Rng, assert_random_layers_equal, pick
from tests.support.operands import assert_equal_on_random_data


class _Case:
    """A node of an operator: random shape, operands and options."""

    def __init__(self, made: Layers, rng: Rng, *, ranks: tuple[int, int], least: int = 1) -> None:
        self.rng = rng
        self.made = made
        rank = int(rng.integers(ranks[0], ranks[1] + 1))
        largest = 7 if rank < 5 else 4
        self.shape = tuple(int(size) for size in rng.integers(least, largest, rank))
        self.quantization = {"scale": layers.scale(rng), "zero_point": layers.zero_point(rng)}

    def axis(self) -> tuple[int, int]:
        """An axis, and how it is written."""
        axis = int(self.rng.integers(len(self.shape)))
        return axis, axis - int(pick(self.rng, (0, len(self.shape))))

    def constant(self, values: Any) -> int:
        return self.made.maker.const(values, dtype="int32")

    def add(
        self, op: str, before: list[int], after: list[int], outputs: list[tuple[int, ...]], **options: Any
    ) -> None:
        """A node with these operands before and after the tensor that it moves."""
        x = self.made.input(self.shape, **self.quantization)
        name = f"{op} {self.shape} {options}"
        ys = [self.made.output(shape, **self.quantization, name=name) for shape in outputs]
        self.made.maker.node(op, [*before, x, *after], ys, **options)


def transpose(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 5))
    order = rng.permutation(len(case.shape))
    case.add("TRANSPOSE", [], [case.constant(order)], [tuple(case.shape[i] for i in order)])


def slice_(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 5))
    begin = [int(rng.integers(size)) for size in case.shape]
    sizes = [int(rng.integers(1, size - b + 1)) for size, b in zip(case.shape, begin, strict=True)]
    stated = [
        -1 if b + n == size and rng.random() < 0.5 else n
        for b, n, size in zip(begin, sizes, case.shape, strict=True)
    ]
    case.add("SLICE", [], [case.constant(begin), case.constant(stated)], [tuple(sizes)])


def strided_slice(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    begins, ends, strides, shape, masks = [], [], [], [], [0, 0, 0]
    for axis, size in enumerate(case.shape):
        stride = int(pick(rng, (1, 1, 2, 3, -1, -2)))
        begin, end = (int(value) for value in rng.integers(-size, size + 1, 2))
        bits = rng.random(3) < (0.4, 0.4, 0.2)
        first = None if bits[0] else begin
        kept = range(size)[first : None if bits[1] else end : stride]
        if bits[2]:
            begin, stride, bits[:2] = min(begin, size - 1), 1, False
        elif not kept:
            begin, end, stride, kept = 0, size, 1, range(size)
            bits[:2] = False
        masks = [mask | int(bit) << axis for mask, bit in zip(masks, bits, strict=True)]
        begins.append(begin)
        ends.append(begin + 1 if bits[2] else end)
        strides.append(stride)
        shape += [] if bits[2] else [len(kept)]
    options = dict(zip(("begin_mask", "end_mask", "shrink_axis_mask"), masks, strict=True))
    case.add(
        "STRIDED_SLICE", [], [case.constant(v) for v in (begins, ends, strides)], [tuple(shape)], **options
    )


def split(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    axis, written = case.axis()
    count = int(pick(rng, [n for n in range(1, 7) if case.shape[axis] % n == 0]))
    part = (*case.shape[:axis], case.shape[axis] // count, *case.shape[axis + 1 :])
    case.add("SPLIT", [case.constant(written)], [], [part] * count, num_splits=count)


def split_v(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4), least=2)
    axis, written = case.axis()
    size = case.shape[axis]
    first = int(rng.integers(1, size))
    parts = [(*case.shape[:axis], n, *case.shape[axis + 1 :]) for n in (first, size - first)]
    operands = [case.constant([first, size - first]), case.constant(written)]
    case.add("SPLIT_V", [], operands, parts, num_splits=2)


def pack(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 3))
    axis, count = int(rng.integers(len(case.shape) + 1)), int(rng.integers(1, 4))
    others = [made.input(case.shape, **case.quantization) for _ in range(count - 1)]
    out = (*case.shape[:axis], count, *case.shape[axis:])
    case.add("PACK", others, [], [out], axis=axis, values_count=count)


def unpack(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(2, 4))
    axis, written = case.axis()
    part = case.shape[:axis] + case.shape[axis + 1 :]
    case.add("UNPACK", [], [], [part] * case.shape[axis], axis=written, num=case.shape[axis])


def gather(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    axis, written = case.axis()
    indices = rng.integers(0, case.shape[axis], pick(rng, ((1,), (3,), (2, 2))))
    out = (*case.shape[:axis], *indices.shape, *case.shape[axis + 1 :])
    case.add("GATHER", [], [case.constant(indices)], [out], axis=written)


def mirror_pad(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    mode = pick(rng, ("REFLECT", "SYMMETRIC"))
    most = [size - (mode == "REFLECT") for size in case.shape]
    paddings = [[int(n) for n in rng.integers(0, min(m, 3) + 1, 2)] for m in most]
    out = tuple(size + sum(pair) for size, pair in zip(case.shape, paddings, strict=True))
    case.add("MIRROR_PAD", [], [case.constant(paddings)], [out], mode=mode)


def broadcast_to(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    case.shape = tuple(1 if rng.random() < 0.5 else size for size in case.shape)
    out = tuple(int(rng.integers(1, 5)) if size == 1 else size for size in case.shape)
    out = (*(int(n) for n in rng.integers(1, 3, int(rng.integers(0, 5 - len(out))))), *out)
    case.add("BROADCAST_TO", [], [case.constant(out)], [out])


def tile(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    multiples = [int(n) for n in rng.integers(1, 4, len(case.shape))]
    out = tuple(n * size for n, size in zip(multiples, case.shape, strict=True))
    case.add("TILE", [], [case.constant(multiples)], [out])


def reverse_v2(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(1, 4))
    _, written = case.axis()
    case.add("REVERSE_V2", [], [case.constant([written])], [case.shape])


def resize_nearest_neighbor(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(4, 4))
    out = tuple(int(n) for n in rng.integers(1, 15, 2))
    if rng.random() < 0.4:
        out = (2 * case.shape[1], 2 * case.shape[2])
    options = pick(rng, ({}, {"align_corners": True}, {"half_pixel_centers": True}))
    shape = (case.shape[0], *out, case.shape[3])
    case.add("RESIZE_NEAREST_NEIGHBOR", [], [case.constant(out)], [shape], **options)


def depth_to_space(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(4, 4))
    b, h, w, c = case.shape
    block = int(rng.integers(1, 4))
    case.shape = (b, h, w, c * block**2)
    case.add("DEPTH_TO_SPACE", [], [], [(b, h * block, w * block, c)], block_size=block)


def space_to_depth(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(4, 4))
    b, h, w, c = case.shape
    block = int(rng.integers(1, 4))
    case.shape = (b, h * block, w * block, c)
    case.add("SPACE_TO_DEPTH", [], [], [(b, h, w, c * block**2)], block_size=block)


def _blocks(case: _Case) -> tuple[list[int], list[list[int]], list[int]]:
    """Block, edges and size of the space without them."""
    dims = len(case.shape) - 2
    block = [int(n) for n in case.rng.integers(1, 4, dims)]
    edges = [[int(n) for n in case.rng.integers(0, 3, 2)] for _ in block]
    space = [max(b * n - sum(edge), 1) for b, n, edge in zip(block, case.shape[1:], edges, strict=False)]
    edges = [[edge[0], -(size + edge[0]) % b] for b, size, edge in zip(block, space, edges, strict=True)]
    return block, edges, space


def space_to_batch_nd(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(3, 4))
    block, edges, space = _blocks(case)
    batches, channels = case.shape[0], case.shape[-1]
    case.shape = (batches, *space, channels)
    out = [(size + sum(edge)) // b for size, edge, b in zip(space, edges, block, strict=True)]
    operands = [case.constant(block), case.constant(edges)]
    case.add("SPACE_TO_BATCH_ND", [], operands, [(batches * int(np.prod(block)), *out, channels)])


def batch_to_space_nd(made: Layers, rng: Rng) -> None:
    case = _Case(made, rng, ranks=(3, 4))
    block, edges, space = _blocks(case)
    batches, channels = case.shape[0], case.shape[-1]
    whole = [(size + sum(edge)) // b for size, edge, b in zip(space, edges, block, strict=True)]
    case.shape = (batches * int(np.prod(block)), *whole, channels)
    operands = [case.constant(block), case.constant(edges)]
    case.add("BATCH_TO_SPACE_ND", [], operands, [(batches, *space, channels)])


OPERATORS: Mapping[str, Callable[[Layers, Rng], None]] = {
    "TRANSPOSE": transpose,
    "SLICE": slice_,
    "STRIDED_SLICE": strided_slice,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "PACK": pack,
    "UNPACK": unpack,
    "GATHER": gather,
    "MIRROR_PAD": mirror_pad,
    "BROADCAST_TO": broadcast_to,
    "REVERSE_V2": reverse_v2,
    "TILE": tile,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest_neighbor,
    "DEPTH_TO_SPACE": depth_to_space,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPACE_TO_BATCH_ND": space_to_batch_nd,
    "BATCH_TO_SPACE_ND": batch_to_space_nd,
}


@pytest.mark.parametrize("op", OPERATORS)
def test_random_layers(op: str) -> None:
    assert_random_layers_equal(OPERATORS[op], seed=61, count=12, samples=1)


@pytest.mark.thorough
@pytest.mark.parametrize("op", OPERATORS)
def test_many_random_layers(op: str) -> None:
    for seed in range(6100, 6104):
        assert_random_layers_equal(OPERATORS[op], seed=seed, count=40, samples=1)


@pytest.mark.parametrize(
    ("masks", "begin", "end", "strides", "out"),
    [
        ({"ellipsis_mask": 1}, [0, 1], [0, 3], [1, 1], (2, 3, 2)),
        ({"ellipsis_mask": 2, "shrink_axis_mask": 4}, [1, 0, 2], [2, 0, 3], [1, 1, 1], (1, 3)),
        ({"new_axis_mask": 1}, [0, 0], [0, 2], [1, 1], (1, 2, 3, 4)),
        ({"new_axis_mask": 4, "end_mask": 8}, [0, 1, 0, 3], [2, 3, 0, 0], [1, 1, 1, 1], (2, 2, 1, 1)),
        ({"ellipsis_mask": 1, "new_axis_mask": 2}, [0, 0], [0, 0], [1, 1], (2, 3, 4, 1)),
        ({"ellipsis_mask": 8, "end_mask": 4}, [0, 0, 3, 0], [2, 3, 0, 0], [1, 2, -1, 1], (2, 2, 4)),
    ],
)
def test_slices_with_ellipses_and_new_axes(
    masks: dict[str, int], begin: list[int], end: list[int], strides: list[int], out: tuple[int, ...]
) -> None:
    """TensorFlow Lite Micro takes them for something else; LiteRT says what they are."""
    graph = made("STRIDED_SLICE", (2, 3, 4), [begin, end, strides], [out], **masks)
    assert_equal_on_random_data(graph, seed=1, samples=1)


def made(op: str, shape: tuple[int, ...], constants: list[Any], out: list[Any], **options: Any) -> Graph:
    layers = Layers()
    x = layers.input(shape, scale=1.0)
    operands = [layers.maker.const(values, dtype="int32") for values in constants]
    outputs = [layers.output(shape, scale=1.0, name="layer") for shape in out]
    layers.maker.node(op, [*operands, x] if op == "SPLIT" else [x, *operands], outputs, **options)
    return layers.graph()


@pytest.mark.parametrize(
    ("op", "shape", "constants", "out", "options", "message"),
    [
        ("TRANSPOSE", (2, 3), [[0, 0]], [(3, 2)], {}, "[0, 0] is no order of 2 dimensions"),
        ("TRANSPOSE", (2, 3), [[1, 0]], [(2, 3)], {}, "it makes (3, 2), its output is int8 (2, 3)"),
        ("SLICE", (4,), [[2], [3]], [(3,)], {}, "elements 2 to 5 of 4 along axis 0"),
        ("SLICE", (4,), [[2, 1], [3]], [(3,)], {}, "not one number an axis"),
        ("STRIDED_SLICE", (4,), [[0], [4], [0]], [(4,)], {}, "a stride is 0"),
        ("STRIDED_SLICE", (4,), [[0], [4], [1]], [(4,)], {"new_axis_mask": 1}, "it makes (1, 4)"),
        (
            "STRIDED_SLICE",
            (4,),
            [[0, 0]] * 2 + [[1, 1]],
            [(4,)],
            {"ellipsis_mask": 3},
            "not one number an axis",
        ),
        ("STRIDED_SLICE", (4,), [[0], [4], [1]], [(4,)], {"offset": True}, "its end is an offset"),
        ("STRIDED_SLICE", (4,), [[9], [4], [1]], [()], {"shrink_axis_mask": 1}, "element 9 of 4"),
        ("STRIDED_SLICE", (4,), [[1], [4], [1]], [(4,)], {}, "it makes (3,), its output is (4,)"),
        ("SPLIT", (4,), [3], [(2,), (2,)], {}, "axis 3 of 1 dimensions"),
        ("SPLIT", (4,), [0], [(2,), (1,)], {}, "outputs add up to 3 of 4"),
        ("UNPACK", (3, 2), [], [(2,), (2,)], {"axis": 0}, "2 outputs for 3 indices"),
        ("PACK", (3, 2), [], [(2, 3, 2)], {"axis": 0}, "does not fit"),
        ("GATHER", (4,), [[4]], [(1,)], {}, "indices outside of 4"),
        ("GATHER", (4,), [[1]], [(2,)], {}, "it makes (1,), its output is int8 (2,)"),
        ("MIRROR_PAD", (2,), [[[2, 0]]], [(4,)], {"mode": "REFLECT"}, "padding of 2 and 0 around 2"),
        ("BROADCAST_TO", (2,), [[3]], [(3,)], {}, "it makes (2,)"),
        ("TILE", (2,), [[2]], [(5,)], {}, "(5,) is not a multiple of (2,)"),
        ("DEPTH_TO_SPACE", (1, 2, 2, 3), [], [(1, 4, 4, 1)], {"block_size": 2}, "3 channels in blocks of 2"),
        ("SPACE_TO_DEPTH", (1, 3, 2, 1), [], [(1, 1, 1, 4)], {"block_size": 2}, "3 x 2 pixels in blocks"),
        ("SPACE_TO_BATCH_ND", (1, 3, 1), [[2], [[0, 0]]], [(2, 1, 1)], {}, "3 x 1 pixels in blocks"),
        ("BATCH_TO_SPACE_ND", (3, 3, 1), [[2], [[0, 0]]], [(1, 6, 1)], {}, "3 batches in blocks"),
        ("BATCH_TO_SPACE_ND", (3, 3), [[2], [[0, 0]]], [(1, 6)], {}, "of a tensor of 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    op: str,
    shape: tuple[int, ...],
    constants: list[Any],
    out: list[Any],
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(UnsupportedOp) as caught:
        ops.check(made(op, shape, constants, out, **options))
    assert message in caught.value.message
    assert caught.value.message.startswith(f"node 0 {op} 'layer': ")


def test_operands_that_the_model_computes_are_refused() -> None:
    layers = Layers()
    operands = [layers.input((2, 3), scale=1.0), layers.input((2,), "int32")]
    layers.maker.node("TRANSPOSE", operands, [layers.output((3, 2), scale=1.0)])
    with pytest.raises(UnsupportedOp, match="its permutation is not constant"):
        ops.check(layers.graph())
