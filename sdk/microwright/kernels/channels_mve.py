"""Output channels as the Helium kernels take them: weights, bias, scale (include/mw/channels_mve.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from microwright.kernels import scaling
from microwright.kernels.base import Rejected
from microwright.ops import Constant, Step
from microwright.ops.base import Field
from microwright.ops.quantized import Multiplier

Ints = npt.NDArray[np.int64]

# Channels are unpacked four at a time; in RAM each takes a bias, a multiplier and a shift.
GROUP = 4
RAM_BYTES = 12


@dataclass(frozen=True, eq=False)
class Channel:
    """An output channel: weights, bias with the input's zero point, multiplier * 2**(-31 - exponent)."""

    weights: Ints
    bias: int
    mult: int
    exponent: int


def of(step: Step, weights: Ints) -> list[Channel]:
    """The output channels of a plain kernel's call; weights [channel, k].

    Raises Rejected where the kernels' preconditions do not hold.
    """
    return [_channel(step, index, row) for index, row in enumerate(weights)]


def _channel(step: Step, index: int, weights: Ints) -> Channel:
    in_zp, out_zp = step.number("in_zp"), step.number("out_zp")
    by = scaling.multiplier(step, index)
    bias = scaling.bias(step, index) - in_zp * int(weights.sum())
    constant = scaling.constant_output(step, index, weights)
    if constant is not None:
        weights, bias, by = weights * 0, 4 * (constant - out_zp), Multiplier(1 << 30, -1)
    # Ties of negative numbers are rounded by way of a right shift.
    least = 1 if step.number("act_min") < out_zp else 0
    if not least <= -by.shift <= 31 or by.mult < 1 << 30:
        raise Rejected(f"channel {index} is rescaled by 2^{by.shift}")
    if not -(1 << 28) <= bias < 1 << 28:
        raise Rejected(f"the bias of channel {index} does not fit 29 bits")
    return Channel(weights, bias, by.mult, -by.shift)


def packed(channels: Sequence[Channel]) -> tuple[int, Constant]:
    """(bytes a channel, channels in flash): 7 bytes where all biases fit 21 bits, else 8."""
    count = -(-len(channels) // GROUP) * GROUP

    def column(values: list[int], dtype: str) -> bytes:
        filled = np.array(values + [0] * (count - len(values)), np.int64)
        return filled.astype(dtype).tobytes()

    biases = [channel.bias << 3 | channel.exponent & 7 for channel in channels]
    short = all(-(1 << 23) <= b < 1 << 23 for b in biases)
    data = (
        column([c.exponent >> 3 << 30 | c.mult - (1 << 30) for c in channels], "<u4")
        + column([b & 0xFFFF for b in biases], "<u2")
        + column([b >> 16 for b in biases], "<i1" if short else "<i2")
    )
    return 7 if short else 8, Constant(np.frombuffer(data, np.uint8))


def ram_bytes(count: int) -> int:
    """Scratch for unpacked channels."""
    return -(-count // GROUP) * GROUP * RAM_BYTES


def fields(channels: Sequence[Channel], prefix: str = "") -> dict[str, Field]:
    """The kernels' fields `channel_bytes` and `channels`."""
    size, constant = packed(channels)
    return {f"{prefix}channel_bytes": size, f"{prefix}channels": constant}
