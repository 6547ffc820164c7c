"""Convolutions and fully connected layers on DSP cores by single weights that are not zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from microwright.kernels import conv_dsp, gemm_dsp, sparse
from microwright.kernels.base import Kernel
from microwright.kernels.gemm_dsp import Ints
from microwright.ops import Constant, Step

# Weights of a round and of a word, bytes of code of a word's; pixels of a tile.
_ROUND, _WORD, _CODE_BYTES = 4, 2, 72
_PIXELS = 6
# What a byte says of a step: of the columns, bytes of RAM a k.
_K_BYTES = 12
_MOST_K_STEP = 255 // _K_BYTES
_MOST_INPUT_STEP = 255


def _conv(dense: Kernel, name: str, step: Step) -> Step:
    made = dense.repack(step)
    rows = _natural(made, conv_dsp.order(step))
    k_pairs = rows.shape[1] + len(rows) // 2
    fields = {
        **made.fields,
        "k_pairs": k_pairs,
        "tiles": gemm_dsp.tiles(step, "mw_gemm_scattered_dsp"),
        "weights": Constant(_pack_columns(rows)),
    }
    assert made.scratch_bytes is not None
    return replace(
        made,
        kernel=name,
        fields={f"conv.{field}": value for field, value in fields.items()},
        scratch_bytes=made.scratch_bytes + _K_BYTES * (k_pairs - made.number("k_pairs")),
    )


def _natural(dense: Step, pairs: Ints) -> Ints:
    """Weights [channel in the order of pairs, k as it lies in memory] of the dense kernel's call."""
    packed = dense.values("weights")
    assert packed is not None
    words = packed.reshape(-1, len(pairs)).astype(np.int64)
    halves = np.stack([words & 0xFFFF, words >> 16], axis=2).reshape(len(words), -1)
    both = halves - (halves >> 15 << 16)
    first = (both & 0xFF) - (both >> 7 & 1) * 256
    channels = np.stack([first, both - first >> 8], axis=1).reshape(2 * len(words), -1)
    order = pairs.reshape(-1)
    natural: Ints = np.zeros((len(channels), int(order.max()) + 1), np.int64)
    natural[:, order[order >= 0]] = channels[:, order >= 0]
    return natural


def _fully_connected(step: Step) -> Step:
    weights = step.values("weights")
    assert weights is not None
    rows = weights.astype(np.int64).reshape(step.number("out_len"), step.number("in_len"))
    channels = [gemm_dsp.channel_of(step, index, row) for index, row in enumerate(rows)]
    kept = np.stack([channel.weights for channel in channels])
    return Step(
        "fully_connected_s8_scattered_dsp",
        step.inputs,
        step.outputs,
        {
            **{name: step.number(name) for name in ("batches", "in_len", "out_len")},
            "weights": Constant(_pack(kept)),
            "channels": Constant(sparse.channel_words(channels)),
            **{name: step.number(name) for name in ("out_zp", "act_min", "act_max")},
        },
    )


def _pack_columns(rows: Ints) -> npt.NDArray[np.uint32]:
    """Each channel's weights and their steps, as include/mw/gemm_scattered_dsp.h says."""
    packed = bytearray()
    for row in rows:
        filled = _entries(row, _MOST_K_STEP, _K_BYTES, _WORD)
        enter = _CODE_BYTES * (len(filled) // _WORD % 2 if len(filled) else _ROUND // _WORD)
        packed += (filled.size << 8 | enter).to_bytes(4, "little") + filled.tobytes()
    return np.frombuffer(bytes(packed), "<u4").astype(np.uint32)


def _pack(rows: Ints) -> npt.NDArray[np.uint32]:
    """Each channel's weights and their steps, as include/mw/fully_connected_s8_scattered_dsp.h says."""
    packed = bytearray()
    for row in rows:
        filled = _entries(row, _MOST_INPUT_STEP, 1, _ROUND)
        packed += filled.size.to_bytes(4, "little") + filled.tobytes()
    return np.frombuffer(bytes(packed), "<u4").astype(np.uint32)


def _entries(row: Ints, most: int, scale: int, multiple: int) -> npt.NDArray[np.uint8]:
    """A channel's weights with their steps, [weights, 2], filled up with zeros to a multiple."""
    stored = sparse.reachable((row != 0)[None], most)[0]
    steps = scale * sparse.steps(stored)
    # The first one counts from 0.
    steps[:1] -= scale
    entries = np.stack([row[stored] & 0xFF, steps], axis=1)
    return np.pad(entries, ((0, -len(entries) % multiple), (0, 0))).astype(np.uint8)


def _stored(step: Step, channels: int, most: int) -> Ints:
    """How many weights of each channel of a plain call are stored, those on the way included."""
    weights = step.values("weights")
    assert weights is not None
    stored: Ints = sparse.reachable(weights.reshape(channels, -1) != 0, most).sum(axis=1)
    return stored


def _conv_cost(step: Step) -> float:
    """Counted in the assembly of a tile: a word of two weights, a round, around a channel, to gather a k, and
    around it all. 36 a channel to unpack; 2 a byte to copy where windows overlap.
    """
    out_ch, taps = step.number("out_ch"), step.number("filter_h") * step.number("filter_w")
    one_row = taps == step.number("stride_h") == step.number("stride_w") == 1
    rows, pixels = (1, step.number("out_h")) if one_row else (step.number("out_h"), 1)
    whole, rest = divmod(pixels * step.number("out_w"), _PIXELS)
    words = -(-_stored(step, out_ch, _MOST_K_STEP) // _WORD)
    counts = (words.sum(), (-(-words // 2)).sum(), out_ch, taps * step.number("in_ch"), 1)
    six, last = (18, 2, 57, 8, 110), (10, 2, 29, 5, 140) if rest <= 2 else (18, 2, 57, 12, 140)
    tiles = [whole * each + (rest > 0) * of_last for each, of_last in zip(six, last, strict=True)]
    copied = step.number("in_h") * step.number("in_w") * step.number("in_ch") if taps > 1 else 0
    tiled = rows * sum(each * count for each, count in zip(tiles, counts, strict=True))
    return float(tiled + 36 * out_ch + 2 * copied)


def _fully_connected_cost(step: Step) -> float:
    """Counted in the assembly: 17 a round of four weights, 30 around a channel's."""
    stored = _stored(step, step.number("out_len"), _MOST_INPUT_STEP)
    return step.number("batches") * (17.0 * int((-(-stored // _ROUND)).sum()) + 30 * len(stored))


CONV = Kernel(
    "conv_2d_s8_scattered_dsp",
    frozenset({"dsp"}),
    lambda step: _conv(conv_dsp.CONV, "conv_2d_s8_scattered_dsp", step),
    _conv_cost,
)
CONV_1X1 = Kernel(
    "conv_1x1_s8_scattered_dsp",
    frozenset({"dsp"}),
    lambda step: _conv(conv_dsp.CONV_1X1, "conv_1x1_s8_scattered_dsp", step),
    _conv_cost,
)
FULLY_CONNECTED = Kernel(
    "fully_connected_s8_scattered_dsp", frozenset({"dsp"}), _fully_connected, _fully_connected_cost
)
