"""Overlaps that the plain kernels state: what the order of their reads and writes allows, and no more."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microwright.graph import Node, Tensor
from microwright.ops import rearrange, window
from microwright.ops.window import Axis

_AXES = st.builds(
    Axis,
    taps=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    before=st.integers(0, 4),
)
_SIZES = st.integers(1, 5)


def _taps(axis: Axis, size: int, out: int) -> list[int]:
    places = [out * axis.stride - axis.before + tap * axis.dilation for tap in range(axis.taps)]
    return [place for place in places if 0 <= place < size]


def _accesses(
    h: Axis, w: Axis, image: tuple[int, int, int, int], out: window.Size, kernel: str
) -> Iterator[tuple[list[int], int]]:
    """(addresses read, address written) of each output value, as the kernels compute them."""
    batches, height, width, channels = image
    written = 0
    for b in range(batches):
        for y in range(out[0]):
            for x in range(out[1]):
                pixels = [
                    (b * height + i) * width + j for i in _taps(h, height, y) for j in _taps(w, width, x)
                ]
                for o in range(out[2]):
                    if kernel == "conv":
                        read = range(channels)
                    else:
                        read = range(o // (out[2] // channels), o // (out[2] // channels) + 1)
                    yield [pixel * channels + c for pixel in pixels for c in read], written
                    written += 1


@given(
    h=_AXES,
    w=_AXES,
    sizes=st.tuples(*[_SIZES] * 4),
    channels=st.integers(1, 4),
    multiplier=st.integers(1, 3),
    batches=st.integers(1, 2),
    kernel=st.sampled_from(("conv", "depthwise")),
)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_distance_of_a_window_is_what_its_reads_and_writes_need(
    h: Axis,
    w: Axis,
    sizes: tuple[int, int, int, int],
    channels: int,
    multiplier: int,
    batches: int,
    kernel: str,
) -> None:
    height, width, out_h, out_w = sizes
    image, out = (batches, height, width, channels), (out_h, out_w, channels * multiplier)
    ahead = out[2] - (1 if kernel == "conv" else channels)
    distance = window.overlap_distance(h, w, image, out, ahead=ahead)

    accesses = list(_accesses(h, w, image, out, kernel))
    end = batches * height * width * channels
    unread, needed = end, 0
    for position in reversed(range(len(accesses))):
        read, written = accesses[position]
        # What is read for later values must lie above what has been written.
        if unread < end:
            needed = max(needed, written + 1 - unread)
        unread = min([unread, *read])
    assert needed <= distance
    # Exact, but for windows that lie outside the image, where nothing is read.
    if all(read for read, _ in accesses):
        assert distance == needed


@pytest.mark.parametrize(
    ("taps", "stride", "before", "distance"),
    [
        (1, 1, 0, 0),
        (2, 2, 0, 0),
        (3, 2, 0, 0),
        # A row of three pixels is written when the next one still needs the first.
        (3, 1, 1, 12),
    ],
)
def test_pools_lie_in_place_where_windows_do_not_reach_back(
    taps: int, stride: int, before: int, distance: int
) -> None:
    axis = Axis(taps, stride, 1, before)
    out = (8 + 2 * before - taps) // stride + 1
    found = window.overlap_distance(axis, Axis(1, 1, 1, 0), (1, 8, 3, 4), (out, 3, 4), ahead=0)
    assert found == distance


def _tensor(shape: tuple[int, ...], name: str) -> Tensor:
    return Tensor(0, name, "int16", shape, None, None)


_NODE = Node(0, "TRANSPOSE", "layer", (0,), (1,), {})


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=7),
    order=st.randoms(use_true_random=False),
    kind=st.sampled_from(("transpose", "slice", "reverse", "gather", "pad")),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_elements_in_another_order_may_share_memory_as_far_as_the_kernel_says(
    shape: list[int], order: Random, kind: str
) -> None:
    axes = rearrange.axes(shape)
    axis = order.randrange(len(shape))
    if kind == "transpose":
        order.shuffle(axes)
    elif kind == "slice":
        axes[axis] = axes[axis][order.randrange(shape[axis]) :]
    elif kind == "reverse":
        axes[axis] = axes[axis][::-1]
    elif kind == "gather":
        axes[axis] = axes[axis][[order.randrange(shape[axis]) for _ in range(3)]]
    else:
        axes[axis] = np.pad(axes[axis], (1, 2), constant_values=rearrange.ABSENT)
    out = tuple(len(places) for places in axes)
    x, y = _tensor(tuple(shape), "x"), _tensor(out, "y")
    step = rearrange.step(_NODE, x, y, axes, value=7)

    values = np.arange(1, x.elements + 1, dtype=np.int16)
    elements = functools.reduce(rearrange.flat, axes)
    expected = np.where(elements < 0, 0x0707, values[np.maximum(elements, 0)])
    distance = step.overlap[0]
    assert distance is not None
    memory = np.zeros(4 * (x.size_bytes + y.size_bytes), np.uint8)
    begin = 2 * y.size_bytes + x.size_bytes
    memory[begin : begin + x.size_bytes] = values.view(np.uint8)
    run = step.number("run_bytes")
    # As the kernel moves them, with the output as near to the input as it may be.
    for number, start in enumerate(rearrange.runs(step)):
        to = begin - distance + number * run
        memory[to : to + run] = 7 if start < 0 else memory[begin + start : begin + start + run].copy()
    written = memory[begin - distance : begin - distance + y.size_bytes]
    np.testing.assert_array_equal(written.view(np.int16), expected)
