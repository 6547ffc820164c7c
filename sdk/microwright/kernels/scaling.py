"""What a plain kernel's call says of its output channels: bias, multiplier, range."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from microwright.ops import Step
from microwright.ops.fixed_point import requantize
from microwright.ops.quantized import Multiplier


def bias(step: Step, channel: int) -> int:
    """Bias of an output channel, without the input's zero point."""
    values = step.values("bias")
    return 0 if values is None else int(values.reshape(-1)[channel].item())


def multiplier(step: Step, channel: int) -> Multiplier:
    """Multiplier of an output channel; a single one serves all."""
    mult, shift = step.values("mult"), step.values("shift")
    assert mult is not None and shift is not None
    index = channel if mult.size > 1 else 0
    return Multiplier(int(mult[index].item()), int(shift[index].item()))


def accumulator_range(step: Step, channel: int, weights: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Smallest and largest accumulator of an output channel over all inputs. `weights` are the channel's."""
    in_zp = step.number("in_zp")
    positive, negative = int(weights[weights > 0].sum()), int(weights[weights < 0].sum())
    low, high = -128 - in_zp, 127 - in_zp
    start = bias(step, channel)
    return start + positive * low + negative * high, start + positive * high + negative * low


def constant_output(step: Step, channel: int, weights: npt.NDArray[np.int64]) -> int | None:
    """The value of an output channel that is the same for all inputs, else None.

    Rescaling does not decrease with the accumulator, so the ends of its range tell; but a left shift wraps.
    """
    by = multiplier(step, channel)
    if by.shift > 0:
        return None
    ends = {
        min(max(requantize(acc, by) + step.number("out_zp"), step.number("act_min")), step.number("act_max"))
        for acc in accumulator_range(step, channel, weights)
    }
    return ends.pop() if len(ends) == 1 else None
