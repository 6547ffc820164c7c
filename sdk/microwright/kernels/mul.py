"""Products whose rescaling is a right shift (include/mw/mul_s8_portable.h)."""

from __future__ import annotations

import math

from microwright.kernels.base import Kernel, Rejected
from microwright.ops import Step


def _mul(step: Step) -> Step:
    exponent = -step.number("out_shift")
    if not 1 <= exponent <= 23:
        raise Rejected(f"it is rescaled by 2^{-exponent}")
    return Step(
        "mul_s8_portable",
        step.inputs,
        step.outputs,
        {
            **{name: step.fields[name] for name in ("extents", "strides1", "strides2")},
            **{name: step.number(name) for name in ("in1_zp", "in2_zp", "out_zp")},
            "mult": step.number("out_mult"),
            "exponent": exponent,
            **{name: step.number(name) for name in ("act_min", "act_max")},
        },
        overlap=step.overlap,
    )


def _cost(step: Step) -> float:
    extents = step.fields["extents"]
    assert isinstance(extents, tuple)
    return 15.0 * math.prod(extents) + 25.0 * math.prod(extents[:-1])


MUL = Kernel("mul_s8_portable", frozenset(), _mul, _cost)
