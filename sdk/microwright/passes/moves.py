"""What the kernels that only move elements do, element by element, so that passes need not know them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from microwright.ops import Step, rearrange


class Move(NamedTuple):
    """Element `to[i]` of the output is the input's `source[i]`, or `value` where that is negative."""

    to: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    value: int


def of(step: Step, item_bytes: int) -> Move | None:
    """The move that a call is, of elements of `item_bytes`; None for a kernel that computes."""
    if step.kernel == "rearrange":
        run = np.arange(step.number("run_bytes") // item_bytes)
        starts = rearrange.runs(step)
        source = np.where(starts[:, None] < 0, -1, starts[:, None] // item_bytes + run).reshape(-1)
        to = step.number("out_offset") // item_bytes + np.arange(len(source))
        return Move(to, source, step.number("value"))
    if step.kernel == "concatenation":
        rows, row = step.number("rows"), step.number("row_bytes") // item_bytes
        starts = np.arange(rows) * (step.number("out_row_bytes") // item_bytes)
        starts += step.number("offset_bytes") // item_bytes
        return Move((starts[:, None] + np.arange(row)).reshape(-1), np.arange(rows * row), 0)
    return None
