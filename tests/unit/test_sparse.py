"""Steps between stored blocks fit what sparse kernels have for them, and skip nothing but zeros."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microwright.kernels import sparse
from microwright.kernels.base import Rejected
from microwright.kernels.gemm_dsp import Channel


def mask(*blocks: int, count: int = 20) -> sparse.Mask:
    """One row that has these blocks."""
    return np.isin(np.arange(count), blocks)[None, :]


@pytest.mark.parametrize(
    ("kept", "stored"),
    [
        ((), ()),
        ((0,), (0,)),
        ((4,), (4,)),
        ((5,), (4, 5)),
        ((0, 5, 6), (0, 5, 6)),
        ((0, 6), (0, 5, 6)),
        ((0, 16), (0, 5, 10, 15, 16)),
    ],
)
def test_blocks_on_the_way_are_stored(kept: tuple[int, ...], stored: tuple[int, ...]) -> None:
    row = sparse.reachable(mask(*kept), 5)[0]
    assert tuple(np.flatnonzero(row)) == stored
    assert tuple(np.cumsum(sparse.steps(row)) - 1) == stored


@given(
    st.lists(st.lists(st.booleans(), min_size=40, max_size=40), min_size=1, max_size=4), st.integers(1, 50)
)
def test_no_step_is_too_long_and_nothing_is_left_out(rows: list[list[bool]], most: int) -> None:
    kept = np.array(rows, np.bool_)
    stored = sparse.reachable(kept, most)
    assert not (kept & ~stored).any()
    for before, row in zip(kept, stored, strict=True):
        steps = sparse.steps(row)
        assert ((steps >= 1) & (steps <= most)).all()
        # Nothing is stored behind the last one, and no more than is needed.
        gaps = np.diff(np.flatnonzero(before), prepend=-1)
        assert row.sum() == sum(-(-gap // most) for gap in gaps)


def channel(bias: int, index: int = 0) -> Channel:
    return Channel(index, np.zeros(4, np.int64), 0, bias, (1 << 30) + 5, 23)


def test_words_of_channels() -> None:
    words = sparse.channel_words([channel(-3), channel((1 << 23) - 1)], 4)
    assert words.tolist()[:4] == [(1 << 30) + 5, (-3 * 256 + 22) % 2**32, (1 << 30) + 5, 2**31 - 256 + 22]
    assert words.tolist()[4:] == [0, 0, 0, 0]


@pytest.mark.parametrize("bias", [1 << 23, -(1 << 23) - 1])
def test_a_bias_that_does_not_fit_is_for_another_kernel(bias: int) -> None:
    with pytest.raises(Rejected, match="bias of channel 7 does not fit 24 bits"):
        sparse.channel_words([channel(0), channel(bias, index=7)])
