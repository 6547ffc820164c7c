"""Sums as one linear form, which is checked against the plain kernel for every pair of operands.

The plain kernel rounds three times. Where

    (floor(scale1 * a / 2**8) + floor(scale2 * b / 2**8) + offset) >> 21

gives the same for all 256 * 256 pairs, it takes its place: the operands' zero points, the output's and the
rounding all are in `offset`. On Helium, scales are whole, without the 2**8, and shifts round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from microwright.kernels.base import Kernel, Rejected
from microwright.kernels.gemm_dsp import Ints
from microwright.ops import Step
from microwright.ops.base import Field
from microwright.ops.quantized import Multiplier

_FRACTION_BITS = 21
_SCALE_BITS = 8
# Scales by so much around the nearest ones are tried.
_NEARBY = 2
# Of shifts by 16 and 5.
_SHIFTS_ROUNDING = (1 << 20) + (1 << 15)
_TABLES_BYTES = 2 * 256 * 4
# Elements from which on the plain kernel takes longer.
_TABLES_PAY = 30
_VALUES: Ints = np.arange(-128, 128, dtype=np.int64)


def _of(step: Step, what: str) -> Multiplier:
    return Multiplier(step.number(f"{what}_mult"), step.number(f"{what}_shift"))


def _rescaled(values: Ints, by: Multiplier) -> Ints:
    """mw_requantize of several values; the shift is at most 0."""
    high = (values * by.mult + (1 << 30)) >> 31
    return (high + ((1 << -by.shift) >> 1) - (high < 0)) >> -by.shift if by.shift else high


def _sums(step: Step) -> Ints:
    """The plain kernel's output for every pair of operands, clamped to int8 only."""
    terms = [_rescaled((_VALUES - step.number(f"{x}_zp")) << 20, _of(step, x)) for x in ("in1", "in2")]
    sums = _rescaled(terms[0][:, None] + terms[1][None, :], _of(step, "out"))
    return np.clip(sums + step.number("out_zp"), -128, 127)


def _factor(step: Step, what: str) -> float:
    """From an operand less its zero point to the output."""
    by, out = _of(step, what), _of(step, "out")
    return math.ldexp(by.mult * out.mult, 20 + by.shift + out.shift - 62)


def _linear(step: Step, scale_bits: int, rounding: int) -> Mapping[str, Field]:
    """The form's scales, with scale_bits more than the sum, and offset, to which the kernel adds `rounding`.

    Raises Rejected where there is none.
    """
    wanted = _sums(step)
    factors = [_factor(step, x) for x in ("in1", "in2")]
    if 256 * sum(factors) + 256 >= 1 << 31 - _FRACTION_BITS:
        raise Rejected("its output's scale is small beside those of its inputs")
    # Where the output is saturated, the form may give any value beyond.
    floor = np.where(wanted > -128, wanted << _FRACTION_BITS, -(1 << 40))
    ceiling = np.where(wanted < 127, wanted + 1 << _FRACTION_BITS, 1 << 40)
    nearest = [round(math.ldexp(factor, _FRACTION_BITS + scale_bits)) for factor in factors]
    around = range(-_NEARBY, _NEARBY + 1)
    for change in sorted(((x, y) for x in around for y in around), key=lambda c: abs(c[0]) + abs(c[1])):
        scales = [max(scale + by, 0) for scale, by in zip(nearest, change, strict=True)]
        terms = [scale * _VALUES >> scale_bits for scale in scales]
        sums = terms[0][:, None] + terms[1][None, :]
        # Offset and sum both fit in 32 bits.
        least = max(int((floor - sums).max()) - rounding, -(1 << 31) - min(int(sums.min()), 0))
        most = min(int((ceiling - sums).min()) - 1 - rounding, (1 << 31) - 1 - max(int(sums.max()), 0))
        if least <= most:
            return {"scale1": scales[0], "scale2": scales[1], "offset": (least + most) // 2}
    raise Rejected("its rounding follows no linear form")


def _fields(step: Step, scale_bits: int = _SCALE_BITS, rounding: int = 0) -> dict[str, Field]:
    return {
        **{name: step.fields[name] for name in ("extents", "strides1", "strides2")},
        **_linear(step, scale_bits, rounding),
        "act_min": step.number("act_min"),
        "act_max": step.number("act_max"),
    }


def _require_rows(step: Step) -> None:
    if _last(step, "extents") > 1 and (_last(step, "strides1"), _last(step, "strides2")) != (1, 1):
        raise Rejected("one value of an operand is added to many of the other")


def _in_rows(step: Step) -> Step:
    _require_rows(step)
    return Step("add_s8_dsp", step.inputs, step.outputs, _fields(step), overlap=step.overlap)


def _in_vectors(step: Step) -> Step:
    _require_rows(step)
    fields = _fields(step, scale_bits=0, rounding=_SHIFTS_ROUNDING)
    # Four elements are written when they have been read, which is as well as one by one.
    return Step("add_s8_mve", step.inputs, step.outputs, fields, overlap=step.overlap)


def _by_table(step: Step) -> Step:
    if _elements(step) < _TABLES_PAY:
        raise Rejected(f"tables do not pay for {_elements(step)} elements")
    return Step(
        "add_s8_table",
        step.inputs,
        step.outputs,
        _fields(step),
        scratch_bytes=_TABLES_BYTES,
        overlap=step.overlap,
    )


def _last(step: Step, name: str) -> int:
    values = step.fields[name]
    assert isinstance(values, tuple)
    return values[-1]


def _elements(step: Step) -> int:
    extents = step.fields["extents"]
    assert isinstance(extents, tuple)
    return math.prod(extents)


ADD_MVE = Kernel(
    "add_s8_mve",
    frozenset({"mve"}),
    _in_vectors,
    lambda step: 2.0 * _elements(step) + 30.0 * _elements(step) / _last(step, "extents"),
)
ADD_DSP = Kernel(
    "add_s8_dsp",
    frozenset({"dsp"}),
    _in_rows,
    lambda step: 6.5 * _elements(step) + 25.0 * _elements(step) / _last(step, "extents"),
)
ADD_TABLE = Kernel(
    "add_s8_table",
    frozenset(),
    _by_table,
    lambda step: 3500 + 9.0 * _elements(step) + 25.0 * _elements(step) / _last(step, "extents"),
)
