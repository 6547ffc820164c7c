"""What the sparse kernels share: which blocks of weights are stored, how far it is from one to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from microwright.kernels.base import Rejected
from microwright.kernels.gemm_dsp import Channel, Ints

Mask = npt.NDArray[np.bool_]


def reachable(kept: Mask, most: int) -> Mask:
    """Blocks to store, so that in no row a step is longer than `most`; kept [rows, blocks]."""
    stored: Mask = kept.copy()
    for row in stored:
        blocks, back = np.flatnonzero(row), steps(row)
        far = back > most
        for block, step in zip(blocks[far], back[far], strict=True):
            row[block - step + most : block : most] = True
    return stored


def steps(row: Mask) -> Ints:
    """How far each stored block of a row is from the one before, the first one from -1."""
    return np.diff(np.flatnonzero(row), prepend=-1)


def channel_words(channels: Sequence[Channel], multiple: int = 1) -> npt.NDArray[np.uint32]:
    """Channels as include/mw/channel_words_dsp.h has them, filled up with zeros to a multiple.

    Raises Rejected for a bias that does not fit 24 bits.
    """
    for channel in channels:
        if not -(1 << 23) <= channel.bias < 1 << 23:
            raise Rejected(f"the bias of channel {channel.index} does not fit 24 bits")
    words = [(channel.mult, channel.bias << 8 | channel.exponent - 1) for channel in channels]
    words += [(0, 0)] * (-len(words) % multiple)
    return (np.array(words, np.int64) & 0xFFFFFFFF).astype(np.uint32).reshape(-1)
