"""Convolutions and fully connected layers on DSP cores by single weights that are not zero."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from microwright.kernels import conv_dsp, convolution, gemm_dsp, sparse
from microwright.kernels.base import Kernel
from microwright.kernels.gemm_dsp import Ints
from microwright.ops import Constant, Step

# Weights of a word, pixels of a tile, bytes of a k in its columns.
_WORD, _PIXELS, _K_BYTES = 2, 6, 12


class _Layout(NamedTuple):
    """Of a kernel's weights: bytes that a step of one is, words of a round, bytes of code of a word."""

    step_bytes: int
    round_words: int
    code_bytes: int

    @property
    def most_step(self) -> int:
        """What a byte can say."""
        return 255 // self.step_bytes


_COLUMNS, _INPUTS = _Layout(_K_BYTES, 2, 72), _Layout(1, 4, 32)


def _conv(dense: Kernel, name: str, step: Step) -> Step:
    convolution.require(step, {"groups": 1})
    made = dense.repack(step)
    rows = _natural(made, conv_dsp.order(step))
    k_pairs = rows.shape[1] + len(rows) // 2
    fields = {
        **made.fields,
        "k_pairs": k_pairs,
        "tiles": gemm_dsp.tiles(step, "mw_gemm_scattered_dsp"),
        "weights": Constant(_pack(rows, _COLUMNS)),
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
            "weights": Constant(_pack(kept, _INPUTS)),
            "channels": Constant(sparse.channel_words(channels)),
            **{name: step.number(name) for name in ("out_zp", "act_min", "act_max")},
        },
    )


def _pack(rows: Ints, layout: _Layout) -> npt.NDArray[np.uint32]:
    """Each channel's weights and their steps, as the headers of the kernels say."""
    packed = bytearray()
    for row, stored in zip(rows, sparse.reachable(rows != 0, layout.most_step), strict=True):
        steps = layout.step_bytes * sparse.steps(stored)
        # The first one counts from 0.
        steps[:1] -= layout.step_bytes
        entries = np.stack([row[stored] & 0xFF, steps], axis=1)
        filled = np.pad(entries, ((0, -len(entries) % _WORD), (0, 0))).astype(np.uint8).tobytes()
        less = -(len(filled) // 4) % layout.round_words if filled else layout.round_words
        packed += (len(filled) << 8 | layout.code_bytes * less).to_bytes(4, "little") + filled
    return np.frombuffer(bytes(packed), "<u4").astype(np.uint32)


def _words(step: Step, channels: int, layout: _Layout) -> Ints:
    """How many words of weights each channel of a plain call has, those on the way included."""
    weights = step.values("weights")
    assert weights is not None
    stored: Ints = sparse.reachable(weights.reshape(channels, -1) != 0, layout.most_step).sum(axis=1)
    return -(-stored // _WORD)


def _conv_cost(step: Step) -> float:
    """Counted in the assembly of a tile: a word of two weights, a round, around a channel, to gather a k, and
    around it all. 36 a channel to unpack; 2 a byte to copy where windows overlap.
    """
    out_ch, taps = step.number("out_ch"), step.number("filter_h") * step.number("filter_w")
    one_row = taps == step.number("stride_h") == step.number("stride_w") == 1
    rows, pixels = (1, step.number("out_h")) if one_row else (step.number("out_h"), 1)
    whole, rest = divmod(pixels * step.number("out_w"), _PIXELS)
    words = _words(step, out_ch, _COLUMNS)
    counts = (words.sum(), (-(-words // 2)).sum(), out_ch, taps * step.number("in_ch"), 1)
    six, last = (18, 2, 57, 8, 110), (10, 2, 29, 5, 140) if rest <= 2 else (18, 2, 57, 12, 140)
    tiles = [whole * each + (rest > 0) * of_last for each, of_last in zip(six, last, strict=True)]
    copied = step.number("in_h") * step.number("in_w") * step.number("in_ch") if taps > 1 else 0
    tiled = rows * sum(each * count for each, count in zip(tiles, counts, strict=True))
    return float(tiled + 36 * out_ch + 2 * copied)


def _fully_connected_cost(step: Step) -> float:
    """Counted in the assembly: 8 a word of two weights, 2 a round of four, 17 around a channel's."""
    words = _words(step, step.number("out_len"), _INPUTS)
    rounds = -(-words // _INPUTS.round_words)
    return float(50 + step.number("batches") * (8 * words.sum() + 2 * rounds.sum() + 17 * len(words)))


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
