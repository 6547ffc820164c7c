"""Weights and channels as the Helium kernels' matrix product takes them (include/mw/gemm_mve.h)."""

from __future__ import annotations

import numpy as np

from microwright.kernels import channels_mve
from microwright.kernels.channels_mve import Channel, Ints
from microwright.ops import Constant, Step
from microwright.ops.base import Field

_VECTOR = 16
_PIXELS = 3
# Vectors of k in a round of the assembly's loop.
_ROUND = 9
_ACCS_BYTES = 4 * _VECTOR * _PIXELS
# Weights that a layer may be padded by rather than take the slower loop over a part of a vector.
_PADDING_BYTES = 160
# Columns that are gathered at once, unless those of three pixels are more.
_COLUMNS_BYTES = 768
_EIGHT = (0, 2, 4, 6, 1, 3, 5, 7)


def product(step: Step, rows: int, row_bytes: int, row_pixels: int) -> dict[str, Field]:
    """The fields of struct mw_product_mve for a plain kernel's call whose k are `rows` of row_bytes each.

    row_pixels are computed one after the other. Raises Rejected where the kernel's preconditions do not hold.
    """
    weights = step.values("weights")
    assert weights is not None
    k, out_ch = rows * row_bytes, step.number("out_ch")
    found = channels_mve.of(step, weights.astype(np.int64).reshape(out_ch, k))
    ordered = [found[i] for i in _order(out_ch)]
    tail = _tail_bytes(k, out_ch)
    return {
        "product.tiles": _tiles(k, row_pixels),
        "product.tail_bytes": tail,
        **{f"product.{name}": step.number(name) for name in ("out_ch", "out_zp", "act_min", "act_max")},
        **channels_mve.fields(ordered, "product."),
        "product.weights": Constant(_pairs(ordered, k, tail)),
    }


def scratch_bytes(step: Step, rows: int, row_bytes: int, row_pixels: int) -> int:
    """Accumulators, channels, columns, and the line that rows are joined in."""
    k = rows * row_bytes
    joined = rows > 1 and row_bytes % _VECTOR != 0
    return (
        _ACCS_BYTES
        + channels_mve.ram_bytes(step.number("out_ch"))
        + _tiles(k, row_pixels) * _PIXELS * _VECTOR * _vectors(k)
        + (_VECTOR * (_vectors(k) + 1) * (2 if row_bytes < _VECTOR else 1) if joined else 0)
    )


def _tiles(k: int, row_pixels: int) -> int:
    """Tiles whose columns are gathered at once."""
    fit = _COLUMNS_BYTES // (_PIXELS * _VECTOR * _vectors(k))
    return max(1, min(fit, -(-row_pixels // _PIXELS)))


def cost(step: Step, k: int) -> float:
    """Estimated instructions. Counted in the assembly for three pixels.

    11 a vector of k and pair of channels, 9 around them; 2 an output to scale; 7 a vector of k to gather.
    """
    pixels = step.number("out_h") * step.number("out_w")
    out_ch, vectors = step.number("out_ch"), _vectors(k)
    tile = (out_ch + 1) // 2 * (11 * vectors + 9) + 6.0 * out_ch + 7 * vectors + 60
    return pixels / _PIXELS * tile + 6.0 * out_ch


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
