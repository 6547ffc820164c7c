"""Steps between stored blocks fit what sparse kernels have for them, and skip nothing but zeros."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from microwright import plan
from microwright.kernels import sparse, sparse_conv_mve
from microwright.kernels.base import Rejected
from microwright.kernels.gemm_dsp import Channel
from microwright.ops import Constant, Step
from tests.support.layers import Layers
from tests.support.pruned import add_layer


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


class Block(NamedTuple):
    """A block of gemm_sparse_mve.h; its pair's biases and its columns as bytes from their beginning."""

    biases: int
    columns: int
    weights: list[int]


def read_blocks(packed: npt.NDArray[np.int8]) -> list[Block]:
    """What include/mw/gemm_sparse_mve.h says of the weights."""
    words = packed.view("<u4").astype(np.int64)
    at, found = 4 * int(words[0]), list[Block]()
    for word, *weights in words[1:].reshape(-1, 9).tolist():
        found.append(Block(at, word & 0xFFFF, np.array(weights, "<u4").view(np.int8).tolist()))
        at += word >> 16 & 0x3FFF
        assert word >> 31 or not word >> 16, "only the last block of a pair leads on"
    assert [i for i, word in enumerate(words[1::9].tolist()) if word & 1 << 30] == [len(found) - 1]
    assert words[-9] >> 31
    return found


def convolution(weights: npt.NDArray[np.int8]) -> Step:
    """The plain call of a layer with these weights [channel, row of a window, input of a row]."""
    made = Layers()
    out_ch, rows, row = weights.shape
    add_layer(made, np.random.default_rng(0), (rows, 1, row), weights.reshape(out_ch, rows, 1, row))
    ((_, step),) = plan.lower(made.graph())
    return step


@given(st.integers(20, 1500), st.integers(1, 3), st.integers(1, 40), st.integers(0, 2**32), st.data())
@settings(max_examples=25, deadline=None)
def test_blocks_for_helium_have_all_weights(
    out_ch: int, rows: int, row: int, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(out_ch) < data.draw(st.sampled_from((0.0, 0.02, 0.3)))
    kept[[out_ch // 9, -1]] |= data.draw(st.booleans())
    assume(kept[: out_ch // 2 * 2].reshape(-1, 2).any(axis=1).mean() <= 0.7)
    weights = rng.integers(-128, 128, (out_ch, rows, row)).astype(np.int8) * kept[:, None, None]
    packed = sparse_conv_mve.CONV.repack(convolution(weights)).values("conv.product.weights")
    assert packed is not None
    blocks = -(-row // 16)
    found = np.zeros((-(-out_ch // 8) * 8, rows, 16 * blocks), np.int8)
    for block in read_blocks(packed.astype(np.int8)):
        group, within = divmod(block.biases - 64, 224)
        y, x = divmod(block.columns // 64, blocks)
        pair = found[8 * group + within // 4 :][:2, y, 16 * x : 16 * x + 16]
        pair += np.array(block.weights, np.int8).reshape(2, 16)
    np.testing.assert_array_equal(found[:out_ch, :, :row], weights)
    assert not found[out_ch:].any() and not found[:, :, row:].any()


def test_what_blocks_for_helium_cannot_express_is_for_another_kernel() -> None:
    with pytest.raises(Rejected, match="windows of 16385 inputs are too large"):
        sparse_conv_mve.CONV_1X1.repack(convolution(np.ones((2, 1, 16385), np.int8)))
    weights = np.full((2, 1, 500), 100, np.int8)
    with pytest.raises(Rejected, match="too few of its blocks of 2 channels by 16 inputs are zero"):
        sparse_conv_mve.CONV_1X1.repack(convolution(weights))
    weights[:, :, 400:] = 0
    usual = convolution(weights)
    shift = usual.values("shift")
    assert shift is not None
    larger = replace(usual, fields={**usual.fields, "shift": Constant(shift + 4)})
    sparse_conv_mve.CONV_1X1.repack(usual)
    with pytest.raises(Rejected, match="an output of channel 0 can leave 16 bits"):
        sparse_conv_mve.CONV_1X1.repack(larger)
