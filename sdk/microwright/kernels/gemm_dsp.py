"""Weights and channels as the DSP kernels' matrix product takes them (include/mw/gemm_dsp.h)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from microwright.kernels import scaling
from microwright.kernels.base import Rejected
from microwright.ops import Constant, Step
from microwright.ops.base import Field, Symbol
from microwright.ops.quantized import Multiplier

# Bytes in RAM of a pair of channels (struct mw_gemm_pair_dsp).
PAIR_BYTES = 56
# Places are 16 bits.
_MOST_ORDERED = 1 << 16

Ints = npt.NDArray[np.int64]


def k_order(rows: int, row_bytes: int) -> Ints:
    """Where each k of the columns comes from, -1 for zero; [pairs, 2], an even number of pairs.

    Inputs are read a word at a time: of each row the whole words, bytes 0 and 2 as one pair and bytes 1 and
    3 as the next; then what is left over of all rows, two by two.
    """
    whole = row_bytes // 4 * 4
    pairs: list[tuple[int, int]] = []
    rest: list[int] = []
    for row in range(rows):
        start = row * row_bytes
        for word in range(start, start + whole, 4):
            pairs += [(word, word + 2), (word + 1, word + 3)]
        rest += range(start + whole, start + row_bytes)
    rest += [-1] * (len(rest) % 2)
    pairs += list(zip(rest[::2], rest[1::2], strict=True))
    if len(pairs) % 2:
        pairs.append((-1, -1))
    return np.array(pairs, np.int64)


def pack(step: Step, weights: Ints, pairs: Ints, groups: int) -> Mapping[str, Field]:
    """The kernel's fields `weights`, `channels` and `order`.

    weights [channels, k] of a plain kernel's call; `pairs` from k_order. Channels are paired with others of
    their group, an odd last one of several groups with itself. Raises Rejected where the kernel's
    preconditions do not hold.
    """
    channels = [channel_of(step, index, row) for index, row in enumerate(weights)]
    kept = np.stack([channel.weights for channel in channels])
    padded = np.concatenate([kept, np.zeros((len(kept), 1), np.int64)], axis=1)[:, pairs]
    count = len(channels) // groups
    order: list[int] = []
    for start in range(0, len(channels), count):
        of_group = [start + place for place in _order(channels[start : start + count])]
        order += of_group + of_group[-1:] * (count % 2 if groups > 1 else 0)
    paired = padded[order + order[-1:] * (len(order) % 2)]
    halves = (paired[::2] + 256 * paired[1::2]) & 0xFFFF
    packed = halves[..., 0] | halves[..., 1] << 16
    natural = order == list(range(len(channels)))
    return {
        "weights": Constant(packed.astype(np.uint32).reshape(-1)),
        **packed_channels("channels", [channels[i] for i in order]),
        "order": None if natural else Constant(np.array(order, np.uint16)),
    }


def tiles(step: Step, of: str = "mw_gemm_dsp") -> Symbol:
    """The kernel's field `tiles`, of one of the two ways that there are `of` a kind."""
    clamped = step.number("act_min") >= step.number("out_zp")
    return Symbol(f"{of}_clamped" if clamped else f"{of}_signed")


def packed_channels(name: str, channels: Sequence[Channel]) -> Mapping[str, Field]:
    """The kernel's fields `channel_bytes` and `name`: 7 bytes a channel where all biases fit, else 8.

    Raises Rejected for a bias that does not fit 29 bits.
    """
    for channel in channels:
        if not -(1 << 28) <= channel.bias < 1 << 28:
            raise Rejected(f"the bias of channel {channel.index} does not fit 29 bits")
    short = all(-(1 << 20) <= channel.bias < 1 << 20 for channel in channels)
    size = 7 if short else 8
    data = b"".join(
        (channel.exponent >> 3 << 30 | channel.mult - (1 << 30)).to_bytes(4, "little")
        + (channel.bias << 3 | channel.exponent & 7).to_bytes(size - 4, "little", signed=True)
        for channel in channels
    )
    # The kernel loads whole words.
    return {"channel_bytes": size, name: Constant(np.frombuffer(data + bytes(8 - size), np.uint8))}


@dataclass(frozen=True, eq=False)
class Channel:
    """An output channel: its place in the plain call, weights, the largest accumulator, bias with the input's
    zero point, and scale."""

    index: int
    weights: Ints
    bound: int
    bias: int
    mult: int
    exponent: int

    def unfolded(self, in_zp: int) -> Channel:
        """The channel with a bias for inputs less their zero point."""
        return replace(self, bias=self.bias + in_zp * int(self.weights.sum()))

    @property
    def words(self) -> tuple[int, int]:
        """(bias * 8 + exponent % 8, exponent / 8 * 2**30 + mult - 2**30)."""
        return (
            (self.bias << 3 & 0xFFFFFFFF) | self.exponent & 7,
            self.exponent >> 3 << 30 | self.mult - (1 << 30),
        )


def channel_of(step: Step, index: int, weights: Ints) -> Channel:
    """An output channel of a plain kernel's call. Raises Rejected where the preconditions do not hold."""
    in_zp, out_zp = step.number("in_zp"), step.number("out_zp")
    by = scaling.multiplier(step, index)
    bias = scaling.bias(step, index) - in_zp * int(weights.sum())
    spread = np.abs(weights).sum() * 128
    constant = scaling.constant_output(step, index, weights)
    if constant is not None:
        weights, spread, bias, by = weights * 0, np.int64(0), 4 * (constant - out_zp), Multiplier(1 << 30, -1)
    bound = abs(bias) + int(spread)
    if bound >= 1 << 30:
        raise Rejected(f"the accumulator of channel {index} can reach 2^30")
    if not 1 <= -by.shift <= 23:
        raise Rejected(f"channel {index} is rescaled by 2^{by.shift}")
    return Channel(index, weights, bound, bias, by.mult, -by.shift)


def _order(channels: Sequence[Channel]) -> list[int]:
    """Places of channels in pairs, the second of which has to be small enough to be told from the first.

    Natural order where that holds. An odd last channel is its own partner.
    """
    count = len(channels)

    def pairs_up(first: int, second: int) -> bool:
        clash = bool(np.any((channels[second].weights == -128) & (channels[first].weights < 0)))
        return channels[second].bound < 1 << 23 and not clash

    natural = list(range(count))
    if all(pairs_up(i, i + 1) for i in range(0, count - 1, 2)):
        return natural
    if count > _MOST_ORDERED:
        raise Rejected(f"its {count} channels are too many to pair them in another order")
    order: list[int] = []
    left = sorted(natural, key=lambda place: (-channels[place].bound, place))
    while len(left) > 1:
        first = left.pop(0)
        partner = next((second for second in reversed(left) if pairs_up(first, second)), None)
        if partner is None:
            raise Rejected(f"channel {channels[first].index} finds no partner whose accumulator fits 24 bits")
        left.remove(partner)
        order += [first, partner]
    return order + left
