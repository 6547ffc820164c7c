"""Fully connected layers: on cores with the DSP extension, and on any (include/mw/fully_connected_s8_*.h)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from microwright.kernels import gemm_dsp, scaling
from microwright.kernels.base import Kernel, Rejected
from microwright.kernels.gemm_dsp import Ints
from microwright.ops import Constant, Step

# With the DSP extension, inputs of a group and the bytes of scratch that they take.
_GROUP = 8
_GROUP_BYTES = 16
# Without, channels that are computed together.
_TOGETHER = 8


def _dsp(step: Step) -> Step:
    batches, in_len, out_len = (step.number(name) for name in ("batches", "in_len", "out_len"))
    weights, scales = _channels(step)
    ordered = np.concatenate([weights, np.zeros((out_len, 1), np.int64)], axis=1)[:, _order(in_len)]
    groups = ordered.shape[1] // _GROUP
    return Step(
        "fully_connected_s8_dsp",
        step.inputs,
        step.outputs,
        {
            "batches": batches,
            "in_len": in_len,
            "out_len": out_len,
            **{name: step.number(name) for name in ("out_zp", "act_min", "act_max")},
            "groups": groups,
            "chunk": _chunk(ordered, scales.biases),
            "mult": scales.mult,
            "exponent": scales.exponent,
            "weights": Constant(_pack(ordered)),
            "channels": Constant(scales.words),
        },
        scratch_bytes=_GROUP_BYTES * groups,
        overlap={0: distance(batches, in_len, out_len)},
    )


def distance(batches: int, in_len: int, out_len: int) -> int:
    """How far the output has to start below the input: a batch is written when it has been read."""
    return max((b * (out_len - in_len) for b in (1, batches - 1) if 0 < b < batches), default=-in_len)


class _Scales(NamedTuple):
    """Biases with the input's zero point, and multipliers.

    `words` are the kernels' `channels`; the multiplier is 0 where channels have their own.
    """

    biases: Ints
    mult: int
    exponent: int
    words: npt.NDArray[np.uint32]


def _channels(step: Step) -> tuple[Ints, _Scales]:
    """Weights [channel, input], biases and multipliers. Raises Rejected where no kernel can take them."""
    values = step.values("weights")
    assert values is not None
    weights = values.astype(np.int64).reshape(step.number("out_len"), step.number("in_len"))
    if step.number("per_channel"):
        channels = [gemm_dsp.channel_of(step, index, row) for index, row in enumerate(weights)]
        words = np.array([channel.words for channel in channels], np.uint32).reshape(-1)
        biases = np.array([channel.bias for channel in channels], np.int64)
        return np.stack([channel.weights for channel in channels]), _Scales(biases, 0, 0, words)
    by = scaling.multiplier(step, 0)
    if not 1 <= -by.shift <= 23:
        raise Rejected(f"it is rescaled by 2^{by.shift}")
    start = np.array([scaling.bias(step, channel) for channel in range(len(weights))], np.int64)
    biases = start - step.number("in_zp") * weights.sum(axis=1)
    over = np.flatnonzero(np.abs(biases) + 128 * np.abs(weights).sum(axis=1) >= 1 << 30)
    if over.size:
        raise Rejected(f"the accumulator of channel {over[0]} can reach 2^30")
    return weights, _Scales(biases, by.mult, -by.shift, np.asarray(biases & 0xFFFFFFFF, np.uint32))


def _order(in_len: int) -> Ints:
    """Where each input of the groups comes from, -1 for none."""
    order = gemm_dsp.k_order(1, in_len).reshape(-1)
    return np.pad(order, (0, -len(order) % _GROUP), constant_values=-1)


def _chunk(weights: Ints, biases: Ints) -> int:
    """Groups after which the sums of a pair are taken apart; 0: never, as all accumulators are below 2^23.

    With their biases and without them: of a pair that is no half of a four, the kernel adds them at the end.
    """
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.maximum(-weights, 0).sum(axis=1)
    highest = np.maximum(biases, 0) + 127 * positive + 128 * negative
    lowest = np.minimum(biases, 0) - 128 * positive - 127 * negative
    if max(highest.max(), -lowest.min()) < 1 << 23:
        return 0
    by_group = 128 * np.abs(weights).reshape(len(weights), -1, _GROUP).sum(axis=2)
    groups = int(by_group.shape[1])
    chunk = groups
    while any(
        by_group[:, start : start + chunk].sum(axis=1).max() >= 1 << 23 for start in range(0, groups, chunk)
    ):
        chunk = (chunk + 1) // 2
    return chunk


def _pack(weights: Ints) -> npt.NDArray[np.uint32]:
    """Weights [channel, input in order] as words of two channels and two inputs."""
    if len(weights) % 2:
        weights = np.concatenate([weights, np.zeros_like(weights[-1:])])
    first, second = weights[::2], weights[1::2]
    if np.any((second == -128) & (first < 0)):
        raise Rejected("a weight of -128 beside a negative one")
    both = (first + 256 * second) & 0xFFFF
    # [pair of channels, pair of inputs]
    words = both[:, ::2] | both[:, 1::2] << 16
    in_fours = words[: len(words) // 2 * 2].reshape(-1, 2, words.shape[1]).transpose(0, 2, 1)
    return np.concatenate([in_fours.reshape(-1), words[len(in_fours) * 2 :].reshape(-1)]).astype(np.uint32)


def _portable(step: Step) -> Step:
    weights, scales = _channels(step)
    out_len, in_len = weights.shape
    together = out_len // _TOGETHER * _TOGETHER
    interleaved = weights[:together].reshape(-1, _TOGETHER, in_len).transpose(0, 2, 1).reshape(-1)
    packed = np.concatenate([interleaved, weights[together:].reshape(-1)])
    return Step(
        "fully_connected_s8_portable",
        step.inputs,
        step.outputs,
        {
            **{name: step.number(name) for name in ("batches", "in_len", "out_len")},
            **{name: step.number(name) for name in ("out_zp", "act_min", "act_max")},
            "mult": scales.mult,
            "exponent": scales.exponent,
            "weights": Constant((packed + 128).astype(np.uint8)),
            "channels": Constant(scales.words),
        },
    )


def _dsp_cost(step: Step) -> float:
    """Counted in the assembly: 27 instructions for 32 products, 3 for the round of 128, and around it."""
    in_len, out_len = step.number("in_len"), step.number("out_len")
    channel = 45 if step.number("per_channel") else 20
    return step.number("batches") * (in_len * (1.5 + 0.87 * out_len) + channel * out_len)


def _portable_cost(step: Step) -> float:
    """Counted in the assembly for eight channels together."""
    in_len, out_len = step.number("in_len"), step.number("out_len")
    rest = out_len % _TOGETHER
    return step.number("batches") * (40 * out_len + in_len * (2.2 * (out_len - rest) + 3.8 * rest))


DSP = Kernel("fully_connected_s8_dsp", frozenset({"dsp"}), _dsp, _dsp_cost)
PORTABLE = Kernel("fully_connected_s8_portable", frozenset(), _portable, _portable_cost)
