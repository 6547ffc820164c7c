"""Convolutions on Helium without blocks of zeros: two output channels by 16 k.

Packed as include/mw/gemm_sparse_mve.h says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from microwright.graph import Array
from microwright.kernels import channels_mve, conv_mve, scaling, sparse
from microwright.kernels.base import Kernel, Rejected
from microwright.kernels.channels_mve import Channel
from microwright.kernels.gemm_mve import Gemm, Window
from microwright.ops import Constant, Step
from microwright.ops.base import Field, Symbol
from microwright.ops.fixed_point import requantize

_VECTOR = 16
_PIXELS = 4
# Channels whose sums are together, in this order in flash.
_GROUP = 8
_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
# Of a group in RAM: multipliers and shifts, then biases, then sums of each pixel.
_SCALES_BYTES = 8 * _GROUP
_GROUP_BYTES = _SCALES_BYTES + 4 * _GROUP * (1 + _PIXELS)
_COLUMN_BYTES = _PIXELS * _VECTOR
# What the word of a block can say: 16 bits of its columns, 14 bits to the next pair's sums.
_MOST_COLUMNS = (1 << 16) // _COLUMN_BYTES
_MOST_STEP = ((1 << 14) - 1) // _GROUP_BYTES * _GROUP // 2
_STEP_BIT = 16
_LAST_OF_ALL, _LAST_OF_PAIR = 1 << 30, 1 << 31
# Share of the blocks up to which they take fewer bytes than the dense kernel's weights: each has a word.
_MOST_STORED = 7 / 8


def _product(step: Step, window: Window) -> dict[str, Field]:
    if _vectors(window) > _MOST_COLUMNS:
        raise Rejected(f"its windows of {window.k} inputs are too large for 16-bit offsets")
    weights = step.values("weights")
    assert weights is not None
    out_ch = step.number("out_ch")
    rows = weights.astype(np.int64).reshape(out_ch, -1)
    for index, row in enumerate(rows):
        ends = scaling.accumulator_range(step, index, row)
        by = scaling.multiplier(step, index)
        if any(not -(1 << 15) <= requantize(acc, by) < 1 << 15 for acc in ends):
            raise Rejected(f"an output of channel {index} can leave 16 bits before it is clamped")
    channels = channels_mve.of(step, rows)
    blocks = _blocks(np.stack([channel.weights for channel in channels]).astype(np.int8), window)
    stored = _stored(blocks)
    if stored.mean() > _MOST_STORED:
        raise Rejected("too few of its blocks of 2 channels by 16 inputs are zero")
    # Those that are missing in the last group: an output of the zero point.
    filled = [*channels, *[Channel(channels[0].weights, 0, 1 << 30, 1)] * (-out_ch % _GROUP)]
    ordered = [filled[c + i] for c in range(0, len(filled), _GROUP) for i in _ORDER]
    return {
        "product.tiles": Symbol("mw_tiles_sparse_mve"),
        "product.at_once": 1,
        "product.tail_bytes": 0,
        **{f"product.{name}": step.number(name) for name in ("out_ch", "out_zp", "act_min", "act_max")},
        **channels_mve.fields(ordered, "product."),
        "product.weights": Constant(_pack(blocks, stored)),
    }


def _vectors(window: Window) -> int:
    """Blocks of a pixel's k; the last one of a row may have fewer than 16."""
    return window.rows * -(-window.row_bytes // _VECTOR)


def _blocks(weights: Array, window: Window) -> Array:
    """Weights [channel, k] filled up to whole blocks, [pair, block, channel, 16]."""
    rows = weights.reshape(len(weights), window.rows, window.row_bytes)
    padded = np.pad(rows, ((0, len(rows) % 2), (0, 0), (0, -window.row_bytes % _VECTOR)))
    pairs: Array = padded.reshape(-1, 2, _vectors(window), _VECTOR).transpose(0, 2, 1, 3)
    return pairs


def _stored(blocks: Array) -> sparse.Mask:
    """Blocks to store [pair, block]: those that are not zero, and one here and there where the next pair that
    has any is too far away.
    """
    stored: sparse.Mask = np.asarray(blocks.any(axis=(2, 3)), np.bool_)
    pairs: sparse.Mask = np.asarray(stored.any(axis=1), np.bool_)
    pairs[0] |= not pairs.any()
    reached = sparse.reachable(pairs[None, :], _MOST_STEP)[0]
    stored[reached & ~stored.any(axis=1), 0] = True
    return stored


def _pack(blocks: Array, stored: sparse.Mask) -> npt.NDArray[np.int8]:
    """The stored blocks, each behind its word."""
    pair, block = np.nonzero(stored)
    groups, within = np.divmod(2 * pair, _GROUP)
    biases = _GROUP_BYTES * groups + _SCALES_BYTES + 4 * within
    steps = np.diff(biases, append=biases[-1:])
    last = np.append(pair[1:] != pair[:-1], True)
    words = _COLUMN_BYTES * block + (steps << _STEP_BIT) + _LAST_OF_PAIR * last
    words[-1] += _LAST_OF_ALL
    stream = np.concatenate(
        [words.astype("<u4")[:, None].view(np.int8), blocks[stored].reshape(len(words), -1)], axis=1
    )
    return np.concatenate([(biases[:1] // 4).astype("<u4").view(np.int8), stream.reshape(-1)])


def _scratch_bytes(step: Step, window: Window) -> int:
    groups = -(-step.number("out_ch") // _GROUP)
    return groups * _GROUP_BYTES + _vectors(window) * _COLUMN_BYTES


def _cost(step: Step, window: Window) -> float:
    """Counted in the assembly: 6 a block and 3 more a pixel, 2 a pair that has any and 2 more a pixel; 10 or
    12 a pixel to scale eight channels, and 5; 9 a vector of k to gather.
    """
    if step.number("groups") > 1:
        return math.inf
    weights = step.values("weights")
    assert weights is not None
    out_ch = step.number("out_ch")
    stored = _stored(_blocks(weights.reshape(out_ch, -1), window))
    blocks, pairs = int(stored.sum()), int(stored.any(axis=1).sum())
    groups, rest = divmod(out_ch, _GROUP)
    scale = 12.0 if step.number("act_min") < step.number("out_zp") else 10.0

    def tile(pixels: int) -> float:
        """Of four pixels, or of three."""
        left = 55 + 35 * pixels if rest else 0
        sums = blocks * (6 + 3 * pixels) + pairs * (2 + 2 * pixels)
        return sums + (scale * pixels + 5) * groups + 9 * _vectors(window) + 8 * window.rows + 35 + left

    threes = min(-window.pixels % 4, -(-window.pixels // 3))
    fours = max(0, window.pixels - 3 * threes) // 4
    row = fours * tile(4) + threes * (tile(3) + 40) + 60
    rows = step.number("out_h") * step.number("out_w") // window.pixels
    return rows * row + 6.5 * out_ch + 150


_GEMM = Gemm(_product, _scratch_bytes, _cost)


def _repack(make: Callable[[Step, Gemm], Step], name: str, step: Step) -> Step:
    made = make(step, _GEMM)
    return replace(made, kernel=name, fields={f"conv.{field}": value for field, value in made.fields.items()})


CONV = Kernel(
    "conv_2d_s8_sparse_mve",
    frozenset({"mve"}),
    lambda step: _repack(conv_mve.conv, "conv_2d_s8_sparse_mve", step),
    lambda step: conv_mve.conv_cost(step, _GEMM),
)
CONV_1X1 = Kernel(
    "conv_1x1_s8_sparse_mve",
    frozenset({"mve"}),
    lambda step: _repack(conv_mve.conv_1x1, "conv_1x1_s8_sparse_mve", step),
    lambda step: conv_mve.conv_1x1_cost(step, _GEMM),
)
