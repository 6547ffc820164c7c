"""Convolutions and fully connected layers on DSP cores by single weights that are not zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from microwright.kernels import conv_dsp, gemm_dsp, sparse
from microwright.kernels.base import Kernel
from microwright.kernels.gemm_dsp import Ints
from microwright.ops import Constant, Step
from microwright.ops.base import Symbol

# Weights of a round, pixels of a tile.
_ROUND, _PIXELS = 4, 6
# What a byte says of a step: of the columns, bytes of RAM a k.
_K_BYTES = 12
_MOST_K_STEP = 255 // _K_BYTES
_MOST_INPUT_STEP = 255


def _conv(dense: Kernel, name: str, step: Step) -> Step:
    made = dense.repack(step)
    rows = _natural(made, conv_dsp.order(step))[: step.number("out_ch")]
    k = rows.shape[1]
    fields = {
        **made.fields,
        "k_pairs": k,
        "tiles": Symbol("mw_gemm_scattered_dsp"),
        "weights": Constant(_pack(rows, _MOST_K_STEP, _K_BYTES)),
    }
    assert made.scratch_bytes is not None
    return replace(
        made,
        kernel=name,
        fields={f"conv.{field}": value for field, value in fields.items()},
        scratch_bytes=made.scratch_bytes + _K_BYTES * (k - made.number("k_pairs")),
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
            "weights": Constant(_pack(kept, _MOST_INPUT_STEP, 1)),
            "channels": Constant(sparse.channel_words(channels)),
            **{name: step.number(name) for name in ("out_zp", "act_min", "act_max")},
        },
    )


def _pack(rows: Ints, most: int, scale: int) -> npt.NDArray[np.uint32]:
    """Each channel's weights and their steps, as the headers of the kernels say."""
    packed = bytearray()
    for row, stored in zip(rows, sparse.reachable(rows != 0, most), strict=True):
        steps = scale * sparse.steps(stored)
        # The first one counts from 0.
        steps[:1] -= scale
        entries = np.stack([row[stored] & 0xFF, steps], axis=1)
        filled = np.pad(entries, ((0, -len(entries) % _ROUND), (0, 0))).astype(np.uint8).tobytes()
        packed += len(filled).to_bytes(4, "little") + filled
    return np.frombuffer(bytes(packed), "<u4").astype(np.uint32)


def _rounds(step: Step, channels: int, most: int) -> int:
    """Rounds of a plain call's channels, the weights on the way included."""
    weights = step.values("weights")
    assert weights is not None
    stored = sparse.reachable(weights.reshape(channels, -1) != 0, most)
    return int((-(-stored.sum(axis=1) // _ROUND)).sum())


def _conv_cost(step: Step) -> float:
    """Counted in the assembly for six pixels: 38 a round, 80 around a channel, 45 more for fewer; 12 a k
    to gather; 2 a byte to copy where windows overlap.
    """
    out_ch, taps = step.number("out_ch"), step.number("filter_h") * step.number("filter_w")
    one_row = taps == step.number("stride_h") == step.number("stride_w") == 1
    rows, pixels = (1, step.number("out_h")) if one_row else (step.number("out_h"), 1)
    whole, rest = divmod(pixels * step.number("out_w"), _PIXELS)
    tile = 38 * _rounds(step, out_ch, _MOST_K_STEP) + 80 * out_ch + 12 * taps * step.number("in_ch")
    copied = step.number("in_h") * step.number("in_w") * step.number("in_ch") if taps > 1 else 0
    return float(rows * (whole * tile + (tile + 45 * out_ch if rest else 0)) + 2 * copied)


def _fully_connected_cost(step: Step) -> float:
    """Counted in the assembly: 17 a round, 30 around a channel's."""
    out_len = step.number("out_len")
    return step.number("batches") * (17.0 * _rounds(step, out_len, _MOST_INPUT_STEP) + 30 * out_len)


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
