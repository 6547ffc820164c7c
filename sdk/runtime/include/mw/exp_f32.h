// Exponentials in single precision, without libm and without double precision, which few of the cores have.
//
// Not the same bits as the reference's: C libraries do not agree on the last place of exp either, on one machine they give
// one or the other by what the processor has. So what is computed with these differs by some units in the last place.

#ifndef MW_EXP_F32_H
#define MW_EXP_F32_H

#include <stdint.h>
#include <string.h>

// 2^exponent, -126 <= exponent <= 127.
static inline float mw_power_of_two(int32_t exponent)
{
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

// exp(x) - 1 for |x| <= 0.35: the Taylor series to x^8, whose rest is below 2^-32 of it.
static inline float mw_exp_minus_one(float x)
{
    float sum = 1.0f / 40320.0f;
    sum = sum * x + 1.0f / 5040.0f;
    sum = sum * x + 1.0f / 720.0f;
    sum = sum * x + 1.0f / 120.0f;
    sum = sum * x + 1.0f / 24.0f;
    sum = sum * x + 1.0f / 6.0f;
    sum = sum * x + 0.5f;
    return x + x * x * sum;
}

// x = exponent * ln 2 + rest, |rest| <= ln 2 / 2; |x| <= 104. The first part of ln 2 has 9 bits, so that its product is exact.
static inline float mw_exp_reduced(float x, int32_t *exponent)
{
    const float scaled = x * 1.44269504f;
    *exponent = (int32_t)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
    const float whole = (float)*exponent;
    return (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
}

// exp(x), within one unit in the last place; 0 and infinity where a float cannot have it.
static inline float mw_exp_f32(float x)
{
    if (!(x >= -104.0f)) {
        return x < 0.0f ? 0.0f : x; // NaN
    }
    if (x > 88.8f) {
        x = 88.8f;
    }
    int32_t exponent;
    const float rest = mw_exp_reduced(x, &exponent);
    // In two factors, because the result's exponent may be that of a subnormal or of infinity.
    const int32_t half = exponent / 2;
    return (1.0f + mw_exp_minus_one(rest)) * mw_power_of_two(half) * mw_power_of_two(exponent - half);
}

#endif
