"""Zeros among the weights of plain kernels' calls: where they lie; the same calls with others, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from microwright.graph import Array
from microwright.kernels import blocks
from microwright.kernels.blocks import Block, Kind
from microwright.ops import Constant, Step
from microwright.target import Target

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Zeros:
    """Shares of a layer's weights: those of channels, of inputs or outputs, that are zero as a whole; of what
    is left, those of blocks that are; all other zeros.
    """

    channels: float
    blocks: float
    scattered: float

    @property
    def total(self) -> float:
        """Share of the weights that are zero."""
        return self.channels + self.blocks + self.scattered


def kept(step: Step) -> Mask:
    """Which weights are not zero, [outputs, runs, inputs]; the inputs of a run lie one after the other."""
    mask: Mask = (_values(step) != 0).reshape(_SHAPES[step.kernel](step))
    return mask.transpose(2, 1, 0) if step.kernel == _DEPTHWISE else mask


def has_weights(step: Step) -> bool:
    """Whether it is known of the plain kernel where its weights lie."""
    return step.kernel in _SHAPES


def is_depthwise(step: Step) -> bool:
    """Whether each output has an input of its own."""
    return step.kernel == _DEPTHWISE


def mixes_channels(step: Step) -> bool:
    """Whether all outputs read all inputs."""
    return step.kernel in _KINDS and step.fields.get("groups", 1) == 1


def block_of(step: Step, target: Target) -> Block | None:
    """The blocks that the target's kernels skip of these weights, None for none."""
    return blocks.of(target).get(_KINDS[step.kernel]) if mixes_channels(step) else None


def of(step: Step, block: Block | None) -> Zeros:
    """The zeros of a step, `block` from `block_of`."""
    all_of_it = kept(step)
    left = all_of_it[all_of_it.any(axis=(1, 2))]
    if mixes_channels(step):
        taps = left.shape[2] // _inputs(step)
        by_channel = left.reshape(*left.shape[:2], taps, _inputs(step))
        read = by_channel.any(axis=(0, 1, 2))
        left = by_channel[..., read].reshape(*left.shape[:2], taps * int(read.sum()))
    in_blocks = 0 if block is None else _in_blocks(~left, block)
    others = left.size - int(left.sum()) - in_blocks
    size = all_of_it.size
    return Zeros((size - left.size) / size, in_blocks / size, others / size)


def share(step: Step) -> float:
    """Share of the weights that are zero."""
    return 1 - float(kept(step).mean())


def filled(step: Step) -> Step:
    """The step without a zero among its weights."""
    if not has_weights(step):
        return step
    values = _values(step)
    return _with(step, weights=np.where(values == 0, 1, values).astype(values.dtype))


def spread(step: Step, block: Block, zero: float) -> Step:
    """The step with that share of its weights zero, in whole blocks at random places."""
    shape = kept(step).shape
    sizes = _sizes(shape, block)
    order = np.random.default_rng(0).permutation(sizes.size)
    left = np.ones(sizes.size, np.int8)
    left[order[np.cumsum(sizes.reshape(-1)[order]) <= zero * np.prod(shape)]] = 0
    grown = left.reshape(sizes.shape).repeat(block[0], axis=0).repeat(block[1], axis=2)
    return _with(step, weights=grown[: shape[0], :, : shape[2]].reshape(-1))


def narrower(step: Step, gone: float, *, of_inputs: bool) -> Step:
    """The step without that share of its outputs, or of its inputs, and without a zero."""
    outputs = len(kept(step))
    by_channel = np.ones(_values(step).size, np.int8).reshape(outputs, -1, _inputs(step))
    of_outputs, names = _CHANNELS[step.kernel]
    if of_inputs:
        left = max(1, round(_inputs(step) * (1 - gone)))
        return _with(step, weights=by_channel[..., :left].reshape(-1), **dict.fromkeys(names, left))
    left = max(1, round(outputs * (1 - gone)))
    arrays = {name: step.values(name) for name in ("bias", "mult", "shift")}
    cut = {name: values[:left] for name, values in arrays.items() if values is not None}
    return _with(step, weights=by_channel[:left].reshape(-1), **{of_outputs: left}, **cut)


def _conv_shape(step: Step) -> tuple[int, ...]:
    taps = step.number("filter_w") if step.number("dilation_w") == 1 else 1
    return step.number("out_ch"), -1, taps * step.number("group_in_ch")


def _fully_connected_shape(step: Step) -> tuple[int, ...]:
    return step.number("out_len"), 1, step.number("in_len")


def _depthwise_shape(step: Step) -> tuple[int, ...]:
    return -1, 1, step.number("in_ch") * step.number("multiplier")


_DEPTHWISE = "depthwise_conv_2d_s8"
# How the weights lie in memory; of depthwise convolutions the outputs come last.
_SHAPES: Mapping[str, Callable[[Step], tuple[int, ...]]] = {
    "conv_2d_s8": _conv_shape,
    "fully_connected_s8": _fully_connected_shape,
    _DEPTHWISE: _depthwise_shape,
}
_KINDS: Mapping[str, Kind] = {"conv_2d_s8": "conv", "fully_connected_s8": "dense"}
# Fields that count outputs, and inputs.
_CHANNELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "conv_2d_s8": ("out_ch", ("group_in_ch", "in_ch")),
    "fully_connected_s8": ("out_len", ("in_len",)),
}


def _inputs(step: Step) -> int:
    """Channels that an output reads."""
    return step.number(_CHANNELS[step.kernel][1][0])


def _values(step: Step) -> Array:
    values = step.values("weights")
    assert values is not None
    return values


def _with(step: Step, **fields: Array | int) -> Step:
    made = {name: value if isinstance(value, int) else Constant(value) for name, value in fields.items()}
    return replace(step, fields={**step.fields, **made})


def _in_blocks(zero: Mask, block: Block) -> int:
    """How many zeros lie in blocks that are zero as a whole."""
    rows, runs, columns = zero.shape
    sizes = _sizes(zero.shape, block)
    padded = np.pad(zero, ((0, -rows % block[0]), (0, 0), (0, -columns % block[1])), constant_values=True)
    grid = padded.reshape(len(sizes), block[0], runs, sizes.shape[2], block[1])
    return int(sizes[grid.all(axis=(1, 4))].sum())


def _sizes(shape: tuple[int, ...], block: Block) -> npt.NDArray[np.int64]:
    """Weights of each block [rows, runs, columns], fewer at the edges."""
    rows, runs, columns = shape
    heights = np.minimum(block[0], rows - np.arange(0, rows, block[0]))
    widths = np.minimum(block[1], columns - np.arange(0, columns, block[1]))
    return np.broadcast_to(heights[:, None, None] * widths, (len(heights), runs, len(widths)))
