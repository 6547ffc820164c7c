"""Pruning by zeros: the weights that matter least become zero, in blocks that kernels skip or anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.compress import copies
from microwright.compress.inline import inline
from microwright.errors import InputError
from microwright.kernels import blocks
from microwright.kernels.blocks import Block, Kind
from microwright.target import PORTABLE, Target

Pattern: TypeAlias = Literal["block", "unstructured"]
_Reals: TypeAlias = npt.NDArray[np.float64]

# Layers with less than this share of the weights are left: their zeros save nothing, and cost most.
_LEAST_SHARE = 0.02
# No layer loses a larger share of what the model keeps than this leaves of the layer.
_LEAST_OF_A_LAYER = 1 / 2

ANOTHER_CORE = "prune channels, or choose a board whose core has the DSP extension or Helium"
_ANYWHERE: Mapping[Kind, Block] = {"conv": (1, 1), "dense": (1, 1)}

# Weights that are left may be so many times as many as asked for.
_MOST_LEFT = 1.5


def prune(model: Any, sparsity: float, pattern: Pattern, target: Target) -> Any:
    """A copy of a Keras 3 model in which a fraction of the weights of its convolutions and dense layers is 0.

    Those go first whose size, against the root mean square of their layer, is least; for blocks their mean
    size. At least half of the share that stays of the model stays of each layer. What is zero already
    stays so. Depthwise and grouped convolutions, small layers and what `without_kernels` has are left as they
    are; the fraction is of the others. Raises InputError where there are none.
    """
    model = inline(model)
    pruned = copies.model(model)
    shapes = _shapes(pattern, target)
    found = list(_layers(pruned, shapes))
    if not found:
        left = without_kernels(model, pattern, target)
        raise InputError(
            f"{left[0]}: there are no kernels for blocks of zeros of a convolution on {target.core}"
            if left
            else f"{model.name}: there is no convolution or dense layer whose weights could become zero",
            ANOTHER_CORE if left else "prune a model with at least one of them",
        )
    weights = sum(math.prod(layer.kernel.shape) for layer, _ in found)
    layers = [
        _Layer(layer, shapes[kind])
        for layer, kind in found
        if math.prod(layer.kernel.shape) >= _LEAST_SHARE * weights
    ]
    removable = []
    for layer in layers:
        order = np.argsort(layer.scores, kind="stable")
        most = (1 - (1 - sparsity) * _LEAST_OF_A_LAYER) * layer.sizes.sum()
        removable.append(order[np.cumsum(layer.sizes[order]) <= most])
    scores = np.concatenate([layer.scores[part] for layer, part in zip(layers, removable, strict=True)])
    sizes = np.concatenate([layer.sizes[part] for layer, part in zip(layers, removable, strict=True)])
    owners = np.repeat(np.arange(len(layers)), [len(part) for part in removable])
    positions = np.concatenate(removable)
    order = np.argsort(scores, kind="stable")
    go = order[np.cumsum(sizes[order]) <= sparsity * weights + 1e-9]
    for index, layer in enumerate(layers):
        layer.clear(positions[go[owners[go] == index]])
    return pruned


def without_kernels(model: Any, pattern: Pattern, target: Target) -> tuple[str, ...]:
    """Names of the layers that stay dense, since no kernel of the core skips blocks of zeros of theirs."""
    shapes = _shapes(pattern, target)
    return tuple(layer.name for layer, kind in _layers(inline(model), _ANYWHERE) if kind not in shapes)


def sparsity(model: Any, pattern: Pattern = "unstructured", target: Target = PORTABLE) -> float:
    """Fraction of the weights that are zero of the layers of a model that `prune` prunes."""
    kernels = [np.asarray(layer.kernel) for layer, _ in _layers(inline(model), _shapes(pattern, target))]
    total = sum(kernel.size for kernel in kernels)
    return 1 - sum(int(np.count_nonzero(kernel)) for kernel in kernels) / total if total else 0.0


def check_reached(model: Any, wanted: float, pattern: Pattern, target: Target) -> None:
    """Raise InputError where pruning leaves far more weights than wanted, for what each layer keeps."""
    reached = sparsity(prune(model, wanted, pattern, target), pattern, target)
    if 1 - reached > _MOST_LEFT * (1 - wanted):
        raise InputError(
            f"{model.name}: no more than {reached:.1%} of the weights can become zero, not {wanted:.1%}",
            "ask for less, or prune channels; small layers stay as they are, and no layer loses nearly all",
        )


class _Layer:
    """A layer's weights as the blocks of its matrix of output channels and inputs.

    `scores` and `sizes` (entries, fewer at the edges) have one element a block.
    """

    def __init__(self, layer: Any, block: Block) -> None:
        self._layer = layer
        self._block = block
        kernel = np.abs(np.asarray(layer.kernel, np.float64))
        matrix = self._matrix(kernel)
        self._padded_shape = self._pad(matrix).shape
        self.sizes = self._sums(np.ones_like(matrix))
        power = np.sqrt(np.mean(kernel**2)) or 1.0
        self.scores = self._sums(matrix) / self.sizes / power

    def clear(self, gone: npt.NDArray[np.int64]) -> None:
        """Set the entries of blocks to zero."""
        height, width = self._block
        keep = np.ones(len(self.sizes), np.float32)
        keep[gone] = 0
        rows, columns = self._padded_shape[0] // height, self._padded_shape[-1] // width
        grid = keep.reshape(rows, -1, columns).repeat(height, axis=0).repeat(width, axis=2)
        kernel = np.asarray(self._layer.kernel)
        matrix = self._matrix(kernel)
        mask = grid[: matrix.shape[0], :, : matrix.shape[2]]
        self._layer.kernel.assign(self._kernel(matrix * mask, kernel.shape))

    def _sums(self, matrix: _Reals) -> _Reals:
        height, width = self._block
        padded = self._pad(matrix)
        rows, runs, columns = padded.shape
        grid = padded.reshape(rows // height, height, runs, columns // width, width)
        sums: _Reals = grid.sum(axis=(1, 4)).reshape(-1)
        return sums

    def _pad(self, matrix: _Reals) -> _Reals:
        height, width = self._block
        rows, _, columns = matrix.shape
        return np.pad(matrix, ((0, -rows % height), (0, 0), (0, -columns % width)))

    def _matrix(self, kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[output, run, input]: a run of inputs lies in memory one after the other, a row of a window."""
        moved = np.moveaxis(kernel, -1, 0)
        runs = 1 if kernel.ndim < 4 else kernel.shape[0]
        if kernel.ndim > 2 and self._dilated():
            runs = int(np.prod(kernel.shape[:-2]))
        return moved.reshape(kernel.shape[-1], runs, -1)

    def _kernel(self, matrix: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        return np.moveaxis(matrix.reshape(shape[-1], *shape[:-1]), 0, -1)

    def _dilated(self) -> bool:
        return any(rate != 1 for rate in np.atleast_1d(self._layer.dilation_rate)[-1:])


def _shapes(pattern: Pattern, target: Target) -> Mapping[Kind, Block]:
    """The blocks of the kinds of layers that are pruned."""
    return blocks.of(target) if pattern == "block" else _ANYWHERE


def _layers(model: Any, shapes: Mapping[Kind, Block]) -> Iterator[tuple[Any, Kind]]:
    """The layers whose weights may become zero, of kinds that have blocks."""
    for layer in model.layers:
        kind: Kind | None = None
        if type(layer).__name__ == "Dense":
            kind = "dense"
        elif type(layer).__name__ in ("Conv1D", "Conv2D") and layer.groups == 1:
            kind = "conv"
        if kind is not None and kind in shapes:
            yield layer, kind


def to_limit(
    model: Any, met: Callable[[Any], bool], pattern: Pattern, target: Target, *, most: float = 0.99
) -> float:
    """The least sparsity, to 1 %, at which a model's copy is small enough. Raises InputError: none is."""
    low, high = sparsity(model, pattern, target), most
    if met(model):
        return low
    if not met(prune(model, high, pattern, target)):
        raise InputError(
            f"{model.name}: with {most:.0%} of the weights zero, it still is too large for {target.core}",
            "prune channels, which makes every layer smaller",
        )
    while high - low > 0.01:
        middle = (low + high) / 2
        if met(prune(model, middle, pattern, target)):
            high = middle
        else:
            low = middle
    return high
