"""Operators that only move elements: where each output index finds its element, as a call of `rearrange`.

An operator gives, for each axis of its output in order, an array with what an index adds to the place in the
input, in elements. From this the call is made: loops that run on evenly are merged, and what does not follow
steps becomes a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.graph import ITEM_BYTES, Graph, Node, Tensor
from microwright.ops.base import Constant, Field, Op, Step, output_tensor, unsupported

Places: TypeAlias = npt.NDArray[np.int64]

LOOPS = 5
# What an index adds whose element is none of the input's but padding. Two of them fit in 32 bits.
ABSENT = -(2**30)
# Every index is looked at, which takes time and memory; the RAM of no microcontroller holds more.
_MAX_BYTES = 2**24
# Of more runs, the order of reads and writes is not looked at: they share no memory.
_MAX_RUNS = 2**20


def op(lower: Callable[[Graph, Node], tuple[Step, ...]], **rest: Any) -> Op:
    """An operator of `step`; what is wrong shows while lowering it. Its tensors are bounded before."""

    def bounded(graph: Graph, node: Node) -> tuple[Step, ...]:
        check_size(graph, node)
        return lower(graph, node)

    return Op.lowered(bounded, kernels=("rearrange",), **rest)


def check_size(graph: Graph, node: Node) -> None:
    """Raise UnsupportedOp for tensors that are too large to look at every index."""
    tensors = (graph.tensors[index] for index in (*node.inputs, *node.outputs) if index >= 0)
    if any(tensor.size_bytes > _MAX_BYTES for tensor in tensors):
        raise unsupported(node, f"tensors of more than {_MAX_BYTES} bytes", "use smaller tensors")


def not_of_int16(graph: Graph, node: Node) -> bool:
    """TensorFlow Lite Micro has it for other types than int16."""
    return output_tensor(graph, node).dtype != "int16"


def axes(shape: Sequence[int]) -> list[Places]:
    """What an index along each axis of a dense tensor adds, in elements."""
    return [np.arange(size, dtype=np.int64) * math.prod(shape[axis + 1 :]) for axis, size in enumerate(shape)]


def flat(outer: Places, inner: Places) -> Places:
    """Two axes as one."""
    return np.asarray((outer[:, None] + inner).reshape(-1))


def step(
    node: Node,
    x: Tensor,
    y: Tensor,
    places: Sequence[Places],
    *,
    offset: int = 0,
    begin: int = 0,
    value: int = 0,
    shape: Sequence[int] | None = None,
) -> Step:
    """A call that fills `y`, or the part of it that begins at element `begin`, from `x`.

    `places`, to which `offset` is added, are of the output's axes, or of those of `shape`; absent ones get
    the byte `value`. Raises UnsupportedOp where they do not give that shape.
    """
    made = tuple(len(axis) for axis in places)
    expected = tuple(y.shape if shape is None else shape)
    if x.dtype != y.dtype or made != expected or 0 in made:
        raise unsupported(
            node,
            f"of {x.dtype} {x.shape} it makes {made}, its output is {y.dtype} {expected}",
            "export the model again",
        )
    item = ITEM_BYTES[x.dtype]
    in_offset, loops = _loops([np.where(axis == ABSENT, axis, axis * item) for axis in places], item)
    run = loops.pop()
    tables = [loop for loop in loops if not _is_even(loop)]
    begins = iter(np.cumsum([0, *(len(table) for table in tables)]).tolist())
    fields: dict[str, Field] = {
        "extents": tuple(len(loop) for loop in loops),
        "steps": tuple(_step_of(loop) for loop in loops),
        "tables": tuple(-1 if _is_even(loop) else next(begins) for loop in loops),
        "places": Constant(np.concatenate(tables).astype(np.int32)) if tables else None,
        "run_bytes": len(run) * item,
        "in_offset": in_offset + offset * item,
        "out_offset": begin * item,
        "value": value,
    }
    call = Step("rearrange", (x.index,), (y.index,), fields)
    distance = _overlap(call, x.size_bytes)
    return call if distance is None else replace(call, overlap={0: distance})


def _loops(places: list[Places], item: int) -> tuple[int, list[Places]]:
    """(offset, loops): LOOPS of them and a run of elements that lie together; in bytes."""
    # What the first index of an axis adds goes into the offset, unless it is absent.
    first = [0 if ABSENT in axis else int(axis[0]) for axis in places]
    loops = [axis - start for axis, start in zip(places, first, strict=True)]
    loops = [loop for loop in loops if len(loop) > 1 or ABSENT in loop]
    merged: list[Places] = []
    for loop in loops:
        if merged and _run_on(merged[-1], loop):
            merged[-1] = flat(merged[-1], loop)
        else:
            merged.append(loop)
    if not merged or not _is_even(merged[-1]) or _step_of(merged[-1]) != item:
        merged.append(np.zeros(1, np.int64))
    while len(merged) > LOOPS + 1:
        # The two neighbours whose common table is the smallest; the run stays.
        sizes = [len(a) * len(b) for a, b in pairwise(merged[:-1])]
        at = sizes.index(min(sizes))
        merged[at : at + 2] = [flat(merged[at], merged[at + 1])]
    return sum(first), [np.zeros(1, np.int64)] * (LOOPS + 1 - len(merged)) + merged


def _is_even(loop: Places) -> bool:
    return ABSENT not in loop and bool((np.diff(loop, 2) == 0).all())


def _step_of(loop: Places) -> int:
    return int(loop[1] - loop[0]) if len(loop) > 1 and _is_even(loop) else 0


def _run_on(outer: Places, inner: Places) -> bool:
    """Whether two even loops are one: the outer one steps over what the inner one covers."""
    return _is_even(outer) and _is_even(inner) and _step_of(outer) == _step_of(inner) * len(inner)


def runs(call: Step) -> Places:
    """Where in the input each run of a call begins, in bytes and in order; negative where it is padding."""
    places = call.values("places")
    sums = np.array([call.number("in_offset")], np.int64)
    for extent, stride, table in zip(*_members(call), strict=True):
        if table < 0:
            loop = np.arange(extent, dtype=np.int64) * stride
        else:
            assert places is not None
            loop = places[table : table + extent].astype(np.int64)
        sums = flat(sums, loop)
    return sums


def _members(call: Step) -> Iterator[tuple[int, ...]]:
    for name in ("extents", "steps", "tables"):
        values = call.fields[name]
        assert isinstance(values, tuple)
        yield tuple(int(value) for value in values)


def _overlap(call: Step, in_bytes: int) -> int | None:
    """Step.overlap: the most that a run's end is ahead of what is still to be read; None for no sharing."""
    reads = runs(call)
    if len(reads) > _MAX_RUNS:
        return None
    reads = np.where(reads < 0, in_bytes, reads)
    unread = np.minimum.accumulate(reads[::-1])[::-1][1:]
    ends = call.number("out_offset") + np.arange(1, len(reads)) * call.number("run_bytes")
    return int((ends - unread).max(initial=-in_bytes, where=unread < in_bytes))
