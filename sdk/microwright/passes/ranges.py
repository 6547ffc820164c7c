"""Bounds of every int8 value over all inputs of the graph, by the kernels' own integer arithmetic.

A value whose bounds meet is the same in every inference. The arithmetic never decreases with its operands, so
bounds of the operands give bounds of the result; where a rescaling could wrap, the result has its full range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright import ops
from microwright.graph import Graph, Node
from microwright.ops import Step
from microwright.passes import moves

Ints: TypeAlias = npt.NDArray[np.int64]

# Larger graphs fit no microcontroller. A window of more taps gets its full range.
_MAX_VALUES = 1 << 23
_MAX_MACS = 1 << 31
_MAX_TAPS = 1 << 12

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


class Bounds(NamedTuple):
    """Smallest and largest of each value of a tensor; int64 in the tensor's shape."""

    low: Ints
    high: Ints


def of(graph: Graph) -> Mapping[int, Bounds] | None:
    """Bounds of the int8 tensors that the nodes read or write; None for a graph that is too large to tell.

    The graph has passed `ops.check`.
    """
    used = {i for node in graph.nodes for i in (*node.inputs, *node.outputs) if i >= 0}
    tensors = [graph.tensors[i] for i in sorted(used) if graph.tensors[i].dtype == "int8"]
    if sum(t.elements for t in tensors) > _MAX_VALUES or ops.macs(graph) > _MAX_MACS:
        return None
    bounds: dict[int, Bounds] = {}
    for tensor in tensors:
        if tensor.data is not None:
            values = tensor.data.astype(np.int64)
            bounds[tensor.index] = Bounds(values, values)
        else:
            bounds[tensor.index] = _full(tensor.shape)
    for node in graph.nodes:
        for y, result in _results(graph, node, bounds).items():
            shape = graph.tensors[y].shape
            bounds[y] = Bounds(result.low.reshape(shape), result.high.reshape(shape))
    return bounds


def _accumulators(step: Step, image: Bounds) -> Bounds:
    """Bounds of the sums of a convolution's, depthwise convolution's or fully connected layer's call.

    int64 [batches, height, width, channels]; exact in float64, since the sums fit 32 bits.
    """
    if step.kernel == "fully_connected_s8":
        return _conv_sums(step, image, (step.number("batches"), 1, 1), (1, 1), groups=1)
    shape = (step.number("batches"), step.number("in_h"), step.number("in_w"))
    taps = (step.number("filter_h"), step.number("filter_w"))
    if step.kernel == "conv_2d_s8":
        return _conv_sums(step, image, shape, taps, groups=step.number("groups"))
    return _depthwise_sums(step, image, shape, taps)


def _full(shape: tuple[int, ...]) -> Bounds:
    low, high = np.int64(-128), np.int64(127)
    return Bounds(np.broadcast_to(low, shape), np.broadcast_to(high, shape))


def _results(graph: Graph, node: Node, bounds: Mapping[int, Bounds]) -> Mapping[int, Bounds]:
    """Bounds of those of a node's outputs, in any shape, of which more than the full range is known."""
    if ops.get(node).alias:
        return {node.outputs[0]: bounds[node.inputs[0]]} if node.inputs[0] in bounds else {}
    steps = ops.get(node).lower(graph, node)
    operands = {i for step in steps for i in (*step.inputs, *step.outputs)}
    if not all(i in bounds and graph.tensors[i].elements for i in operands):
        return {}
    moved = [(step, moves.of(step, 1)) for step in steps]
    results: dict[int, Bounds] = {}
    for step, move in moved:
        y = step.outputs[0]
        if move is not None:
            size = graph.tensors[y].elements
            result = results.setdefault(y, Bounds(*(np.full(size, end, np.int64) for end in (-128, 127))))
            for end, values in zip(result, bounds[step.inputs[0]], strict=True):
                end[move.to] = np.where(move.source < 0, move.value, values.reshape(-1)[move.source])
        elif len(steps) == 1 and step.kernel in _RULES:
            computed = _RULES[step.kernel](step, *(bounds[i] for i in step.inputs))
            results |= {} if computed is None else {y: computed}
    return results


def _weighted(step: Step, image: Bounds) -> Bounds | None:
    if "filter_h" in step.fields and step.number("filter_h") * step.number("filter_w") > _MAX_TAPS:
        return None
    mult, shift = step.values("mult"), step.values("shift")
    assert mult is not None and shift is not None
    sums = _accumulators(step, image)
    return _rescaled(step, sums, mult.astype(np.int64), shift.astype(np.int64))


def _conv_sums(
    step: Step, image: Bounds, shape: tuple[int, int, int], taps: tuple[int, int], groups: int
) -> Bounds:
    weights = _values(step, "weights")
    out_ch = step.number("out_len" if step.kernel == "fully_connected_s8" else "out_ch")
    by_tap = weights.reshape(out_ch, *taps, -1).astype(np.float64)
    low, high = (
        values.reshape(*shape, groups, -1).astype(np.float64) - step.number("in_zp") for values in image
    )
    sums = [np.zeros((shape[0], *_out_size(step), groups, out_ch // groups)) for _ in range(2)]
    for tap_h, out_h, in_h in _taps(step, "h"):
        for tap_w, out_w, in_w in _taps(step, "w"):
            for group in range(groups):
                channels = slice(group * out_ch // groups, (group + 1) * out_ch // groups)
                w = by_tap[channels, tap_h, tap_w].T
                rise, fall = np.maximum(w, 0), np.minimum(w, 0)
                a, b = low[:, in_h, in_w, group], high[:, in_h, in_w, group]
                sums[0][:, out_h, out_w, group] += a @ rise + b @ fall
                sums[1][:, out_h, out_w, group] += b @ rise + a @ fall
    return _with_bias(step, sums, out_ch)


def _depthwise_sums(step: Step, image: Bounds, shape: tuple[int, int, int], taps: tuple[int, int]) -> Bounds:
    by_tap = _values(step, "weights").reshape(*taps, -1).astype(np.float64)
    out_ch = by_tap.shape[-1]
    low, high = (
        np.repeat(values.reshape(*shape, -1), step.number("multiplier"), axis=-1).astype(np.float64)
        - step.number("in_zp")
        for values in image
    )
    sums = [np.zeros((shape[0], *_out_size(step), out_ch)) for _ in range(2)]
    for tap_h, out_h, in_h in _taps(step, "h"):
        for tap_w, out_w, in_w in _taps(step, "w"):
            ends = [values[:, in_h, in_w] * by_tap[tap_h, tap_w] for values in (low, high)]
            sums[0][:, out_h, out_w] += np.minimum(*ends)
            sums[1][:, out_h, out_w] += np.maximum(*ends)
    return _with_bias(step, sums, out_ch)


def _with_bias(step: Step, sums: list[npt.NDArray[np.float64]], out_ch: int) -> Bounds:
    bias = 0 if step.fields["bias"] is None else _values(step, "bias")
    shape = (sums[0].shape[0], *_out_size(step), out_ch)
    return Bounds(*(s.reshape(shape).astype(np.int64) + bias for s in sums))


def _out_size(step: Step) -> tuple[int, int]:
    return (step.number("out_h"), step.number("out_w")) if "out_h" in step.fields else (1, 1)


def _taps(step: Step, side: str) -> Iterator[tuple[int, slice, slice]]:
    """Taps of a window along `side`: index, the outputs whose tap lies in the image, and where it lies."""
    if f"filter_{side}" not in step.fields:
        yield 0, slice(0, 1), slice(0, 1)
        return
    size, out, stride = step.number(f"in_{side}"), step.number(f"out_{side}"), step.number(f"stride_{side}")
    before = step.number("pad_top" if side == "h" else "pad_left")
    dilation = step.number(f"dilation_{side}") if f"dilation_{side}" in step.fields else 1
    for tap in range(step.number(f"filter_{side}")):
        origin = tap * dilation - before
        first = max(0, -(origin // stride))
        end = min(out, (size - 1 - origin) // stride + 1)
        if first < end:
            start = first * stride + origin
            yield tap, slice(first, end), slice(start, start + (end - first - 1) * stride + 1, stride)


def _average_pool(step: Step, image: Bounds) -> Bounds | None:
    def average(values: Ints) -> Ints:
        total, count = _zeros(step), _zeros(step)
        for out, inside in _windows(step):
            total[out] += values[inside]
            count[out] += 1
        half = count // 2
        # C divides towards zero.
        return np.sign(total) * ((np.abs(total) + half) // np.maximum(count, 1))

    return _pooled(step, image, average)


def _max_pool(step: Step, image: Bounds) -> Bounds | None:
    def maximum(values: Ints) -> Ints:
        largest = _zeros(step) - 128
        for out, inside in _windows(step):
            largest[out] = np.maximum(largest[out], values[inside])
        return largest

    return _pooled(step, image, maximum)


def _pooled(step: Step, image: Bounds, pool: Callable[[Ints], Ints]) -> Bounds | None:
    if step.number("filter_h") * step.number("filter_w") > _MAX_TAPS:
        return None
    shape = tuple(step.number(name) for name in ("batches", "in_h", "in_w", "channels"))
    return Bounds(*(_clamp(step, pool(values.reshape(shape))) for values in image))


def _zeros(step: Step) -> Ints:
    return np.zeros((step.number("batches"), *_out_size(step), step.number("channels")), np.int64)


def _windows(step: Step) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    every = slice(None)
    for _, out_h, in_h in _taps(step, "h"):
        for _, out_w, in_w in _taps(step, "w"):
            yield (every, out_h, out_w), (every, in_h, in_w)


def _mean(step: Step, x: Bounds) -> Bounds:
    extents = sizes(step, "keep_size") + sizes(step, "reduce_size")
    strides = sizes(step, "keep_stride") + sizes(step, "reduce_stride")
    count = int(np.prod(sizes(step, "reduce_size")))
    sums = (nest(values, extents, strides).sum(axis=(3, 4, 5)) - count * step.number("in_zp") for values in x)
    return _rescaled(step, Bounds(*sums), step.number("mult"), step.number("shift"))


def _add(step: Step, first: Bounds, second: Bounds) -> Bounds:
    a, b = _common_scale(step, first, "1"), _common_scale(step, second, "2")
    sums = Bounds(a.low + b.low, a.high + b.high)
    return _rescaled(step, sums, step.number("out_mult"), step.number("out_shift"))


def _sub(step: Step, first: Bounds, second: Bounds) -> Bounds:
    a, b = _common_scale(step, first, "1"), _common_scale(step, second, "2")
    differences = Bounds(a.low - b.high, a.high - b.low)
    return _rescaled(step, differences, step.number("out_mult"), step.number("out_shift"))


def _squared_difference(step: Step, first: Bounds, second: Bounds) -> Bounds:
    a, b = (_common_scale(step, x, which, headroom=7) for x, which in ((first, "1"), (second, "2")))
    ends = (a.low - b.high, a.high - b.low)
    squares = [end**2 for end in ends]
    least = np.where((ends[0] <= 0) & (ends[1] >= 0), 0, np.minimum(*squares))
    out = step.number("out_mult"), step.number("out_shift")
    return _rescaled(step, Bounds(least, np.maximum(*squares)), *out)


def _prelu(step: Step, x: Bounds, slope: Bounds) -> Bounds:
    low, high = (_operand(step, end, "1") - step.number("in_zp") for end in x)
    slopes = [_operand(step, end, "2") - step.number("slope_zp") for end in slope]
    # Negative inputs: the ends of their products. Others: the ends themselves.
    products = [np.minimum(end, 0) * s for end in (low, np.minimum(high, -1)) for s in slopes]
    ends = Bounds(np.minimum.reduce(products), np.maximum.reduce(products))
    below = _rescaled(step, ends, step.number("slope_mult"), step.number("slope_shift"))
    positive = Bounds(np.maximum(low, 0), np.maximum(high, 0))
    above = _rescaled(step, positive, step.number("mult"), step.number("shift"))
    return Bounds(
        np.where(low >= 0, above.low, np.where(high < 0, below.low, np.minimum(above.low, below.low))),
        np.where(low >= 0, above.high, np.where(high < 0, below.high, np.maximum(above.high, below.high))),
    )


def _common_scale(step: Step, values: Bounds, which: str, headroom: int = 20) -> Bounds:
    """An operand of a sum or difference, with so many more bits, rescaled as the kernel does it."""
    mult, shift = np.int64(step.number(f"in{which}_mult")), np.int64(step.number(f"in{which}_shift"))
    ends = ((_operand(step, end, which) - step.number(f"in{which}_zp")) << headroom for end in values)
    return Bounds(*(requantize(end, mult, shift) for end in ends))


def _extremum(function: Callable[[Ints, Ints], Ints]) -> Callable[[Step, Bounds, Bounds], Bounds]:
    def rule(step: Step, first: Bounds, second: Bounds) -> Bounds:
        pairs = zip(first, second, strict=True)
        return Bounds(*(function(_operand(step, a, "1"), _operand(step, b, "2")) for a, b in pairs))

    return rule


def _mul(step: Step, first: Bounds, second: Bounds) -> Bounds:
    a, b = (
        [_operand(step, values, which) - step.number(f"in{which}_zp") for values in operand]
        for operand, which in ((first, "1"), (second, "2"))
    )
    corners = [p * q for p in a for q in b]
    ends = Bounds(np.minimum.reduce(corners), np.maximum.reduce(corners))
    return _rescaled(step, ends, step.number("out_mult"), step.number("out_shift"))


def _operand(step: Step, values: Ints, which: str) -> Ints:
    return nest(values, sizes(step, "extents"), sizes(step, f"strides{which}"))


def _lookup(step: Step, x: Bounds) -> Bounds:
    table = np.roll(_values(step, "table").astype(np.uint8).view(np.int8), 128).astype(np.int64)
    # smallest[a, b] is the smallest entry from a to b, counted from -128; where b < a it is not used.
    smallest, largest = np.zeros((2, 256, 256), np.int64)
    for start in range(256):
        smallest[start, start:] = np.minimum.accumulate(table[start:])
        largest[start, start:] = np.maximum.accumulate(table[start:])
    places = (x.low + 128, x.high + 128)
    return Bounds(smallest[places], largest[places])


def _pad(step: Step, x: Bounds) -> Bounds:
    extents = sizes(step, "extents")
    widths = list(zip(sizes(step, "before"), sizes(step, "after"), strict=True))
    return Bounds(
        *(np.pad(values.reshape(extents), widths, constant_values=step.number("value")) for values in x)
    )


_RULES: Mapping[str, Callable[..., Bounds | None]] = {
    "add_s8": _add,
    "average_pool_2d_s8": _average_pool,
    "conv_2d_s8": _weighted,
    "depthwise_conv_2d_s8": _weighted,
    "fully_connected_s8": _weighted,
    "lookup_8": _lookup,
    "max_pool_2d_s8": _max_pool,
    "maximum_s8": _extremum(np.maximum),
    "mean_s8": _mean,
    "minimum_s8": _extremum(np.minimum),
    "mul_s8": _mul,
    "pad_s8": _pad,
    "prelu_s8": _prelu,
    "squared_difference_s8": _squared_difference,
    "sub_s8": _sub,
}


def _rescaled(step: Step, sums: Bounds, mult: Ints | int, shift: Ints | int) -> Bounds:
    """Outputs for accumulators; `mult` and `shift` one a channel, or one for all."""
    mult, shift = np.asarray(mult, np.int64), np.asarray(shift, np.int64)
    low, high = (requantize(acc, mult, shift) + step.number("out_zp") for acc in sums)
    left = np.maximum(shift, 0)
    wraps = (sums.low << left < _INT32_MIN) | (sums.high << left > _INT32_MAX)
    wraps |= (low < _INT32_MIN) | (high > _INT32_MAX)
    return Bounds(
        _clamp(step, np.where(wraps, _INT32_MIN, low)), _clamp(step, np.where(wraps, _INT32_MAX, high))
    )


def requantize(acc: Ints, mult: Ints, shift: Ints) -> Ints:
    """As `fixed_point.requantize` where its left shift does not wrap."""
    product = (acc << np.maximum(shift, 0)) * mult
    scaled = np.where(product >= 0, (product + 2**30) >> 31, -((-product + 2**30 - 1) >> 31))
    right = np.maximum(-shift, 0)
    half = (np.int64(1) << right) >> 1
    result: Ints = np.where(scaled >= 0, (scaled + half) >> right, -((-scaled + half) >> right))
    return result


def _clamp(step: Step, values: Ints) -> Ints:
    if "act_min" not in step.fields:
        return np.clip(values, -128, 127)
    return np.clip(values, step.number("act_min"), step.number("act_max"))


def nest(values: Ints, sizes: tuple[int, ...], strides: tuple[int, ...]) -> Ints:
    """A tensor's values along the loops of a kernel; strides in elements."""
    flat = np.ascontiguousarray(values).reshape(-1)
    steps = [stride * flat.itemsize for stride in strides]
    nest: Ints = np.lib.stride_tricks.as_strided(flat, sizes, steps, writeable=False)
    return nest


def _values(step: Step, name: str) -> Ints:
    values = step.values(name)
    assert values is not None
    return np.asarray(values, np.int64)


def sizes(step: Step, name: str) -> tuple[int, ...]:
    sizes = step.fields[name]
    assert isinstance(sizes, tuple)
    return sizes
