"""The fixed-point arithmetic of TensorFlow Lite's integer kernels on Python integers, for tables.

A value in Qm.n is an int32 that stands for value / 2**n, with m + n = 31. Rounding is gemmlowp's throughout.
"""

from __future__ import annotations

from functools import lru_cache

from microwright.ops.quantized import Multiplier

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

# exp(-1/8) and 1/3 in Q0.31.
_EXP_NEG_EIGHTH = 1895147668
_THIRD = 715827883
# exp(-2**k) in Q0.31 for k = -2, -1, ..., 4.
_EXP_NEG_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
# 48/17 and -32/17 in Q2.29: the best linear estimate of 1/d for d in [1/2, 1].
_ESTIMATE = 1515870810
_ESTIMATE_SLOPE = -1010580540
# 3/2 in Q3.28, sqrt(2)/2 in Q0.31.
_THREE_HALVES = (1 << 28) + (1 << 27)
_HALF_SQRT_2 = 1518500250


# Passes look at a table several times, and layers of one scale have the same.
_remembered = lru_cache(maxsize=1 << 16)


def doubling_high_mul(a: int, b: int) -> int:
    """2 * a * b / 2**32, to nearest with ties away from zero as gemmlowp has it, saturated."""
    if a == b == INT32_MIN:
        return INT32_MAX
    product = a * b
    if product >= 0:
        return (product + 2**30) >> 31
    return -((-product + 2**30 - 1) >> 31)


def rounding_divide_by_pot(x: int, exponent: int) -> int:
    """x / 2**exponent, to nearest with ties away from zero."""
    half = (1 << exponent) >> 1
    return (x + half) >> exponent if x >= 0 else -((-x + half) >> exponent)


def saturating_shift_left(x: int, bits: int) -> int:
    """x * 2**bits, saturated from one step inside the range on."""
    limit = 2 ** (31 - bits) - 1
    if x > limit:
        return INT32_MAX
    if x < -limit:
        return INT32_MIN
    return x << bits


def requantize(x: int, multiplier: Multiplier) -> int:
    """x * mult * 2**(shift - 31). A left shift wraps, as in mw/requantize.h."""
    left = max(multiplier.shift, 0)
    right = max(-multiplier.shift, 0)
    return rounding_divide_by_pot(doubling_high_mul(wrap(x << left), multiplier.mult), right)


def wrap(x: int) -> int:
    """The int32 that x is modulo 2**32."""
    return (x + 2**31) % 2**32 - 2**31


def exp_of_negative(x: int, integer_bits: int) -> int:
    """exp(x) in Q0.31 for x <= 0 in Q(integer_bits).(31 - integer_bits), integer_bits at most 5.

    x = f - q/4 with -1/4 <= f < 0 and q whole: a Taylor polynomial around -1/8 for f, one factor a bit of q.
    """
    if x == 0:
        return INT32_MAX
    quarter = 1 << (31 - integer_bits - 2)
    fraction = (x & (quarter - 1)) - quarter
    result = _exp_near_eighth(saturating_shift_left(fraction, integer_bits))
    quarters = (fraction - x) // quarter
    for bit, factor in enumerate(_EXP_NEG_POWERS):
        if quarters >> bit & 1:
            result = doubling_high_mul(result, factor)
    return result


def _exp_near_eighth(x: int) -> int:
    """exp(x) in Q0.31 for -1/4 <= x < 0, to the fourth power of x + 1/8."""
    d = x + (1 << 28)
    d2 = doubling_high_mul(d, d)
    d3 = doubling_high_mul(d2, d)
    d4 = doubling_high_mul(d2, d2)
    cubic = doubling_high_mul(rounding_divide_by_pot(d4, 2) + d3, _THIRD)
    series = d + rounding_divide_by_pot(cubic + d2, 1)
    return _EXP_NEG_EIGHTH + doubling_high_mul(_EXP_NEG_EIGHTH, series)


def two_over_one_plus(x: int) -> int:
    """2 / (1 + x) in Q2.29 for 0 <= x < 1 in Q0.31: three Newton-Raphson steps, as in softmax_s8.c."""
    half_denominator = (x + 2**31) >> 1
    y = _ESTIMATE + doubling_high_mul(half_denominator, _ESTIMATE_SLOPE)
    for _ in range(3):
        error = (1 << 29) - doubling_high_mul(half_denominator, y)
        y += saturating_shift_left(doubling_high_mul(y, error), 2)
    return y


@_remembered
def logistic(x: int, integer_bits: int) -> int:
    """1 / (1 + exp(-x)) in Q0.31 for x in Q(integer_bits).(31 - integer_bits)."""
    if x == 0:
        return 1 << 30
    positive = saturating_shift_left(two_over_one_plus(exp_of_negative(-abs(x), integer_bits)), 1)
    return positive if x > 0 else INT32_MAX - positive


@_remembered
def tanh(x: int, integer_bits: int) -> int:
    """tanh(x) in Q0.31 for x in Q(integer_bits).(31 - integer_bits): 2 / (1 + exp(-2x)) - 1."""
    if x == 0:
        return 0
    # Twice the argument has the same bits with one more of them in front of the point.
    twice = two_over_one_plus(exp_of_negative(-abs(x), integer_bits + 1))
    positive = saturating_shift_left(twice - (1 << 29), 2)
    return positive if x > 0 else -positive


def inverse_sqrt(x: int) -> tuple[int, int]:
    """(mult, shift) with 1 / sqrt(x) ~ mult * 2**(shift - 31), for 0 < x < 2**27.

    x is scaled by a power of four to Q3.28 in [1/2, 2); five Newton-Raphson steps from 1.
    """
    if x == 1:
        return INT32_MAX, 0
    pairs = (31 - x.bit_length()) // 2 - 1
    scaled = x << (2 * pairs) >> 1
    half = rounding_divide_by_pot(scaled, 1)
    y = 1 << 28
    for _ in range(5):
        cube = saturating_shift_left(doubling_high_mul(doubling_high_mul(y, y), y), 6)
        y = saturating_shift_left(doubling_high_mul(_THREE_HALVES, y) - doubling_high_mul(half, cube), 3)
    mult, shift = doubling_high_mul(y, _HALF_SQRT_2), 11 - pairs
    return (mult << -shift, 0) if shift < 0 else (mult, -shift)


def quotient(a: int, b: int, by: Multiplier) -> int:
    """a / b times a multiplier, by the reciprocal of b, as in div_s8.c; the largest int32 for b = 0."""
    if b == 0:
        return (a > 0) * INT32_MAX + (a < 0) * INT32_MIN
    if b < 0:
        a, b = -a, -b
    zeros = 32 - b.bit_length()
    reciprocal = saturating_shift_left(two_over_one_plus((b << zeros) - 2**31), 1)
    headroom = 31 - (a if a >= 0 else ~a).bit_length()
    scaled = doubling_high_mul(doubling_high_mul(a << headroom, reciprocal), by.mult)
    right = 31 - zeros + headroom - by.shift
    if right > 31:
        return -1 if scaled < 0 else 1
    return rounding_divide_by_pot(scaled, right)
