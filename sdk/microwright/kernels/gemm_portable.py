"""Weights and channels as portable kernels take them (include/mw/channel.h, include/mw/gemm_portable.h)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microwright.kernels import gemm_dsp, scaling
from microwright.kernels.base import Rejected
from microwright.kernels.gemm_dsp import Channel, Ints
from microwright.ops import Constant, Step
from microwright.ops.base import Field

# Bytes in RAM of a channel (struct mw_channel).
CHANNEL_BYTES = 16

# MW_CHANNEL_LIMIT of include/mw/channel.h.
_LIMIT = (1 << 23) - (1 << 16)


def pack(step: Step, weights: Ints, *, axis: int) -> Mapping[str, Field]:
    """The kernel's fields `weights`, `channel_bytes` and `channels`.

    weights [channels, k] of a plain kernel's call; `axis` says where the channels go in the kernel's. Raises
    Rejected where the kernel's preconditions do not hold.
    """
    channels = channels_of(step, weights)
    kept = np.stack([channel.weights for channel in channels], axis=axis).astype(np.int8)
    return {
        "weights": Constant(kept.reshape(-1)),
        **gemm_dsp.packed_channels("channels", channels),
    }


def channels_of(step: Step, weights: Ints) -> list[Channel]:
    """The output channels of a plain kernel's call. Raises Rejected where an accumulator is too large."""
    channels = [gemm_dsp.channel_of(step, index, row) for index, row in enumerate(weights)]
    for index, channel in enumerate(channels):
        # The range with the input's zero point is exact; a constant channel has no weights left.
        ends = scaling.accumulator_range(step, index, weights[index]) if channel.weights.any() else (0, 0)
        if max(map(abs, ends)) >= _LIMIT:
            raise Rejected(f"the accumulator of channel {index} can reach 2^23")
    return channels
