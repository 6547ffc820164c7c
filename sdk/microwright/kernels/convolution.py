"""What the faster convolutions share: fields that they take over, and how far their output may overlap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microwright.kernels.base import Rejected
from microwright.ops import Step
from microwright.ops.base import Field


def numbers(step: Step, *names: str) -> dict[str, Field]:
    """Fields of the plain call that are numbers."""
    return {name: step.number(name) for name in names}


def require(step: Step, values: Mapping[str, int]) -> None:
    """Raise Rejected where a field of the plain call has another value."""
    for name, value in values.items():
        if step.number(name) != value:
            raise Rejected(f"its {name} is {step.number(name)}, not {value}")


def require_int16(step: Step, *names: str) -> None:
    """Raise Rejected where a field of the plain call does not fit 16 bits."""
    for name in names:
        if step.number(name) >= 1 << 15:
            raise Rejected(f"its {name} is {step.number(name)}, more than {(1 << 15) - 1}")


def k(step: Step) -> int:
    """Weights of an output channel."""
    return step.number("filter_h") * step.number("filter_w") * step.number("group_in_ch")


def runs_w(step: Step) -> int:
    """Runs of bytes that a row of taps reads: one, or one a tap where something lies between them."""
    together = step.number("dilation_w") == step.number("groups") == 1
    return 1 if together else step.number("filter_w")


def span(step: Step, side: str) -> int:
    """Pixels from a window's first tap to its last along "h" or "w", both included."""
    return (step.number(f"filter_{side}") - 1) * step.number(f"dilation_{side}") + 1


def row_bytes(step: Step) -> int:
    """Bytes of an input row with the padding that a window reads; whole words."""
    width = max(
        (step.number("out_w") - 1) * step.number("stride_w") + span(step, "w"),
        step.number("pad_left") + step.number("in_w"),
    )
    return (width * step.number("in_ch") + 3) // 4 * 4


def rows_distance(step: Step) -> int:
    """Step.overlap of a kernel that writes an output row when the rows up to its last tap are copied."""
    rows = np.arange(step.number("out_h"))
    written = (rows + 1) * step.number("out_w") * step.number("out_ch")
    read = rows * step.number("stride_h") + span(step, "h") - step.number("pad_top")
    in_h = step.number("in_h")
    copied = np.clip(read, 0, in_h) * step.number("in_w") * step.number("in_ch")
    return max(0, int((written - copied).max()))


def one_row(step: Step) -> bool:
    """Whether a 1x1 filter reads the whole image, pixel by pixel."""
    return step.number("stride_h") == step.number("stride_w") == 1


def require_1x1(step: Step) -> None:
    """Raise Rejected unless the filter is 1x1, without padding, and reads all channels."""
    require(step, {"groups": 1, "filter_h": 1, "filter_w": 1, "pad_top": 0, "pad_left": 0})


def pixels(step: Step) -> dict[str, Field]:
    """The fields of a 1x1 convolution that say which pixels it reads."""
    in_w, in_ch, out_h, out_w = (step.number(name) for name in ("in_w", "in_ch", "out_h", "out_w"))
    return {
        "rows": 1 if one_row(step) else out_h,
        "row_pixels": out_h * out_w if one_row(step) else out_w,
        "in_row_bytes": step.number("stride_h") * in_w * in_ch,
        "in_ch": in_ch,
        "out_ch": step.number("out_ch"),
        "in_step": step.number("stride_w") * in_ch,
    }


def pixels_distance(step: Step) -> int:
    """Step.overlap of a 1x1 convolution that writes a pixel when it and everything before it is read."""
    rows, columns = np.arange(step.number("out_h"))[:, None], np.arange(step.number("out_w"))[None, :]
    written = (rows * step.number("out_w") + columns + 1) * step.number("out_ch")
    pixel = rows * step.number("stride_h") * step.number("in_w") + columns * step.number("stride_w")
    return max(0, int((written - (pixel + 1) * step.number("in_ch")).max()))
