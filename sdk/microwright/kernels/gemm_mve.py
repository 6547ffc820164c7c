"""Weights and channels as the Helium kernels' matrix product takes them (include/mw/gemm_mve.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microwright.kernels import channels_mve
from microwright.kernels.channels_mve import Channel, Ints
from microwright.ops import Constant, Step
from microwright.ops.base import Field, Symbol

_VECTOR = 16
_PIXELS = 3
_TWO_PIXELS = 2
_TAPS = 3
# Vectors of k in a round of the assembly's loop.
_ROUND = 9
_ACCS_BYTES = 4 * _VECTOR * _PIXELS
# Weights that a layer may be padded by rather than take the slower loop over a part of a vector.
_PADDING_BYTES = 160
# Columns that are gathered at once, unless those of three pixels are more.
_COLUMNS_BYTES = 768
_EIGHT = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True)
class Window:
    """What a pixel's k are: `rows` of `taps` pixels of `channels` each.

    `pixels` are computed one after the other, `pixel_step` input pixels apart.
    """

    rows: int
    taps: int
    channels: int
    pixels: int
    pixel_step: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, contiguous."""
        return self.taps * self.channels

    @property
    def k(self) -> int:
        """Products of an output."""
        return self.rows * self.row_bytes

    @property
    def sliding(self) -> bool:
        """Whether neighbouring pixels share the inputs of two taps."""
        return (
            self.taps == _TAPS
            and self.pixel_step == 1
            and self.channels % _VECTOR == 0
            and self.pixels >= _TWO_PIXELS
        )

    @property
    def tile_bytes(self) -> int:
        """Columns of a tile of three pixels."""
        vectors = -(-self.k // _VECTOR)
        return _VECTOR * (vectors // _TAPS * (_PIXELS + _TAPS - 1) if self.sliding else vectors * _PIXELS)

    @property
    def at_once(self) -> int:
        """Tiles whose columns are gathered at once."""
        return max(1, min(_COLUMNS_BYTES // self.tile_bytes, -(-self.pixels // _PIXELS)))


@dataclass(frozen=True)
class Gemm:
    """A way to compute the product, each for a plain kernel's call.

    product        the fields of struct mw_product_mve; raises Rejected where preconditions do not hold
    scratch_bytes  of its scratch
    cost           estimated instructions
    """

    product: Callable[[Step, Window], dict[str, Field]]
    scratch_bytes: Callable[[Step, Window], int]
    cost: Callable[[Step, Window], float]


def _product(step: Step, window: Window) -> dict[str, Field]:
    weights = step.values("weights")
    assert weights is not None
    out_ch = step.number("out_ch")
    by_channel = weights.astype(np.int64).reshape(out_ch, window.rows, window.taps, window.channels)
    if window.sliding:
        vectors = by_channel.reshape(out_ch, window.rows, window.taps, -1, _VECTOR)
        by_channel = vectors.transpose(0, 1, 3, 2, 4)
    found = channels_mve.of(step, by_channel.reshape(out_ch, -1))
    ordered = [found[i] for i in _order(out_ch)]
    tail = _tail_bytes(window.k, out_ch)
    return {
        "product.tiles": Symbol("mw_tiles_sliding_mve" if window.sliding else "mw_tiles_mve"),
        "product.at_once": window.at_once,
        "product.tail_bytes": tail,
        **{f"product.{name}": step.number(name) for name in ("out_ch", "out_zp", "act_min", "act_max")},
        **channels_mve.fields(ordered, "product."),
        "product.weights": Constant(_pairs(ordered, window.k, tail)),
    }


def _scratch_bytes(step: Step, window: Window) -> int:
    """Accumulators, channels, columns, and the line that rows are joined in."""
    joined = window.rows > 1 and window.row_bytes % _VECTOR != 0
    return (
        _ACCS_BYTES
        + channels_mve.ram_bytes(step.number("out_ch"))
        + window.at_once * window.tile_bytes
        + (_VECTOR * (_vectors(window.k) + 1) * (2 if window.row_bytes < _VECTOR else 1) if joined else 0)
    )


def _cost(step: Step, window: Window) -> float:
    """Estimated instructions. Counted in the assembly for tiles of three pixels and two.

    2 a vector of k and pair of channels and 3 more a pixel, less where pixels share inputs, 3 and 2 a pixel
    around them; 2 an output to scale, or 2.5; 7 a vector of k to gather.
    """
    out_ch, vectors = step.number("out_ch"), _vectors(window.k)
    scale = 2.5 if step.number("act_min") < step.number("out_zp") else 2.0

    def tile(pixels: int) -> float:
        inputs = (pixels + _TAPS - 1) / _TAPS if window.sliding else pixels
        sums = (out_ch + 1) // 2 * ((2 + inputs + 2 * pixels) * vectors + 3 + 2 * pixels)
        return sums + scale * pixels * out_ch + 7 * vectors + 60

    # As compute_row of gemm_mve.c divides a row.
    twos = 1 if window.pixels == 1 else -window.pixels % _PIXELS
    threes = max(0, window.pixels - _TWO_PIXELS * twos) // _PIXELS
    rows = step.number("out_h") * step.number("out_w") // window.pixels
    return rows * (threes * tile(_PIXELS) + twos * tile(_TWO_PIXELS) + 60) + 6.0 * out_ch


def _vectors(k: int) -> int:
    return -(-k // _VECTOR)


def _tail_bytes(k: int, out_ch: int) -> int:
    """Of the last vector of k, where weights are not padded to whole ones."""
    tail = k % _VECTOR
    padding = (_VECTOR - tail) * out_ch
    if tail == 0 or padding <= _PADDING_BYTES or k // _VECTOR > _ROUND:
        return 0
    return tail


def _order(out_ch: int) -> list[int]:
    """Channels in the order of pairs: of eight the even ones, then the odd ones; the rest as they come."""
    whole = out_ch // 8 * 8
    return [c + i for c in range(0, whole, 8) for i in _EIGHT] + list(range(whole, out_ch))


def _pairs(channels: list[Channel], k: int, tail: int) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """Weights of pairs of channels, vector by vector in turn."""
    rows: Ints = np.stack([channel.weights for channel in channels])
    rows = np.pad(rows, ((0, len(rows) % 2), (0, 0 if tail else -k % _VECTOR)))
    whole = rows.shape[1] // _VECTOR * _VECTOR
    pairs = rows.reshape(len(rows) // 2, 2, -1)
    vectors = pairs[:, :, :whole].reshape(len(pairs), 2, -1, _VECTOR).transpose(0, 2, 1, 3)
    flat = np.concatenate(
        [vectors.reshape(len(pairs), -1), pairs[:, :, whole:].reshape(len(pairs), -1)], axis=1
    )
    behind = _VECTOR - tail if tail else 0
    return np.pad(flat.reshape(-1), (0, behind)).astype(np.int8)


DENSE = Gemm(_product, _scratch_bytes, _cost)
