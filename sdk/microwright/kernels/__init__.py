"""Faster kernels for a core, to the same bytes: Step, Target -> Step. KERNELS has them, by plain kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from microwright.kernels import (
    add,
    conv_dsp,
    conv_mve,
    conv_portable,
    depthwise_dsp,
    depthwise_mve,
    depthwise_portable,
    fully_connected,
    fully_connected_mve,
    images,
    lanes,
    mul,
    pool_mve,
    selection,
    sparse_conv_dsp,
    sparse_conv_mve,
    sparse_fully_connected_dsp,
    sparse_fully_connected_mve,
    sparse_fully_connected_portable,
    sparse_scattered_dsp,
)
from microwright.kernels.base import Kernel
from microwright.kernels.selection import Choice, Selection
from microwright.ops import Step
from microwright.target import Target

__all__ = ["KERNELS", "Choice", "Kernel", "Selection", "choose"]

KERNELS: Mapping[str, tuple[Kernel, ...]] = {
    "depthwise_conv_2d_s8": (
        images.each(depthwise_mve.DEPTHWISE_3X3),
        depthwise_mve.DEPTHWISE,
        images.each(depthwise_dsp.DEPTHWISE_3X3),
        images.each(depthwise_dsp.DEPTHWISE),
        images.each(depthwise_portable.DEPTHWISE),
    ),
    "conv_2d_s8": (
        images.each(sparse_conv_mve.CONV_1X1),
        images.each(sparse_conv_mve.CONV),
        images.each(conv_mve.CONV_1X1),
        images.each(conv_mve.CONV),
        images.each(sparse_conv_dsp.CONV_1X1),
        images.each(sparse_conv_dsp.CONV),
        images.each(sparse_scattered_dsp.CONV_1X1),
        images.each(sparse_scattered_dsp.CONV),
        images.each(conv_dsp.CONV_1X1),
        images.each(conv_dsp.CONV),
        images.each(conv_portable.CONV_1X1),
        images.each(conv_portable.CONV),
    ),
    "add_s8": (
        add.ADD_MVE,
        add.ADD_DSP,
        add.ADD_TABLE,
    ),
    "average_pool_2d_s8": (pool_mve.AVERAGE_POOL, lanes.AVERAGE_POOL),
    "max_pool_2d_s8": (pool_mve.MAX_POOL, lanes.MAX_POOL),
    "mean_s8": (lanes.MEAN,),
    "mul_s8": (mul.MUL,),
    "fully_connected_s8": (
        sparse_fully_connected_mve.FULLY_CONNECTED,
        fully_connected_mve.FULLY_CONNECTED,
        sparse_fully_connected_dsp.FULLY_CONNECTED,
        sparse_scattered_dsp.FULLY_CONNECTED,
        fully_connected.DSP,
        sparse_fully_connected_portable.FULLY_CONNECTED,
        fully_connected.PORTABLE,
    ),
}


def choose(steps: Sequence[Step], target: Target) -> list[Choice]:
    """How the target computes each of a model's plain steps."""
    return selection.choose(steps, KERNELS, target)
