// Functions of fixed-point numbers: an int32 in Qm.n stands for value / 2^n, m + n = 31. Rounding is TensorFlow Lite's.

#ifndef MW_FIXED_POINT_H
#define MW_FIXED_POINT_H

#include <stdint.h>

#include "mw/leading_zeros.h"
#include "mw/requantize.h"

static inline int32_t mw_saturating_shift_left(int32_t x, int bits)
{
    const int32_t limit = (int32_t)(((uint32_t)1 << (31 - bits)) - 1);
    if (x > limit) {
        return INT32_MAX;
    }
    if (x < -limit) {
        return INT32_MIN;
    }
    return (int32_t)((uint32_t)x << bits);
}

// 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton-Raphson steps on half the denominator, in Q2.29, from the
// estimate 48/17 - 32/17 * d that is best for d in [1/2, 1]. The rounding of each step is TensorFlow Lite's.
static inline int32_t mw_one_over_one_plus(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = 1515870810 + mw_doubling_high_mul(half_denominator, -1010580540);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = ((int32_t)1 << 29) - mw_doubling_high_mul(half_denominator, y);
        y += mw_saturating_shift_left(mw_doubling_high_mul(y, error), 2);
    }
    return mw_saturating_shift_left(y, 1);
}

// exp(x) in Q0.31 for -1/4 <= x < 0 in Q0.31, to the fourth power of x + 1/8.
static inline int32_t mw_exp_near_eighth(int32_t x)
{
    const int32_t exp_eighth = 1895147668; // exp(-1/8)
    const int32_t third = 715827883;
    const int32_t d = x + ((int32_t)1 << 28);
    const int32_t d2 = mw_doubling_high_mul(d, d);
    const int32_t d3 = mw_doubling_high_mul(d2, d);
    const int32_t d4 = mw_doubling_high_mul(d2, d2);
    const int32_t cubic = mw_doubling_high_mul(mw_rounding_divide_by_pot(d4, 2) + d3, third);
    return exp_eighth + mw_doubling_high_mul(exp_eighth, d + mw_rounding_divide_by_pot(cubic + d2, 1));
}

// exp(x) in Q0.31 for x <= 0 in Q5.26: x = fraction - quarters / 4, and a factor for each bit of quarters.
static inline int32_t mw_exp_of_negative(int32_t x)
{
    static const int32_t exp_power[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    enum { QUARTER = 1 << 24 };
    if (x == 0) {
        return INT32_MAX;
    }
    const int32_t fraction = (x & (QUARTER - 1)) - QUARTER;
    int32_t result = mw_exp_near_eighth(fraction * 32);
    int32_t quarters = (fraction - x) >> 24;
    for (const int32_t *power = exp_power; quarters != 0; quarters >>= 1, ++power) {
        if (quarters & 1) {
            result = mw_doubling_high_mul(result, *power);
        }
    }
    return result;
}

#endif
