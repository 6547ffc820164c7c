"""Blocks of weights that a sparse kernel stores, and how far it is from one to the next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def reachable(kept: Mask, most: int) -> Mask:
    """Blocks to store, so that in no row a step is longer than `most`; kept [rows, blocks]."""
    stored: Mask = kept.copy()
    for row in stored:
        at = -1
        for block in np.flatnonzero(row):
            row[at + most : block : most] = True
            at = int(block)
    return stored


def steps(row: Mask) -> Ints:
    """How far each stored block of a row is from the one before, the first one from -1."""
    return np.diff(np.flatnonzero(row), prepend=-1)
