"""Faster kernels for a core, to the same bytes: Step, Target -> Step. KERNELS has them, by plain kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from microwright.kernels import add, conv_dsp, depthwise_dsp, fully_connected_dsp
from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step
from microwright.target import Target

__all__ = ["KERNELS", "Choice", "Kernel", "choose"]

KERNELS: Mapping[str, tuple[Kernel, ...]] = {
    "depthwise_conv_2d_s8": (depthwise_dsp.DEPTHWISE_3X3, depthwise_dsp.DEPTHWISE),
    "conv_2d_s8": (conv_dsp.CONV_1X1, conv_dsp.CONV),
    "add_s8": (add.ADD_DSP, add.ADD_TABLE),
    "fully_connected_s8": (fully_connected_dsp.FULLY_CONNECTED,),
}


@dataclass(frozen=True, eq=False)
class Choice:
    """How a step is computed, and why each kernel that would be cheaper could not be taken."""

    step: Step
    rejected: Mapping[str, str]


def choose(step: Step, target: Target) -> Choice:
    """The cheapest kernel that the target can run and whose preconditions hold; the plain one otherwise."""
    rejected: dict[str, str] = {}
    usable = [kernel for kernel in KERNELS.get(step.kernel, ()) if kernel.needs <= target.features]
    for kernel in sorted(usable, key=lambda kernel: kernel.cost(step)):
        try:
            return Choice(kernel.repack(step), rejected)
        except Rejected as reason:
            rejected[kernel.name] = str(reason)
    return Choice(step, rejected)
