"""Kernels of one image for a batch of them: a call an image."""

from __future__ import annotations

import math
from dataclasses import replace

from microwright.kernels.base import Kernel
from microwright.ops import Step
from microwright.ops.base import Field


def each(kernel: Kernel) -> Kernel:
    """The kernel, which takes one image, called for each image of a convolution's batch."""

    def repack(step: Step) -> Step:
        made = kernel.repack(_one(step))
        return replace(made, calls=step.number("batches"), overlap=_overlap(step, made))

    return replace(kernel, repack=repack, cost=lambda step: step.number("batches") * kernel.cost(_one(step)))


def _one(step: Step) -> Step:
    """The call for a batch of one."""
    fields: dict[str, Field] = {**step.fields, "batches": 1}
    return replace(step, fields=fields)


def _overlap(step: Step, one: Step) -> dict[int, int | None]:
    """Step.overlap of all calls: an image must not be written over one that comes later."""
    last = step.number("batches") - 1
    if last == 0:
        return dict(one.overlap)
    grows = _image_bytes(step, "out") - _image_bytes(step, "in")
    return {
        position: None if distance is None else max(distance, grows) + max(0, last * grows)
        for position, distance in one.overlap.items()
        if distance is not None or grows == 0
    }


def _image_bytes(step: Step, side: str) -> int:
    pixels = math.prod(step.number(f"{side}_{axis}") for axis in "hw")
    if side == "in" or "out_ch" in step.fields:
        return pixels * step.number(f"{side}_ch")
    return pixels * step.number("in_ch") * step.number("multiplier")
