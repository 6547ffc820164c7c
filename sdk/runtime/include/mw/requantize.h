// Fixed-point rescaling, exactly as TensorFlow Lite's kernels round.

#ifndef MW_REQUANTIZE_H
#define MW_REQUANTIZE_H

#include <stdint.h>

// High half of 2 * a * b, rounded to nearest with ties up; saturates for a = b = INT32_MIN. That is what gemmlowp gives with
// its nudge of either sign and its division towards zero.
static inline int32_t mw_doubling_high_mul(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

// x / 2^exponent, rounded to nearest with ties away from zero; 0 <= exponent <= 31.
static inline int32_t mw_rounding_divide_by_pot(int32_t x, int exponent)
{
    const int32_t mask = (int32_t)(((int64_t)1 << exponent) - 1);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

// x * mult * 2^(shift - 31); mult in [2^30, 2^31), or 0; -31 <= shift <= 30. A left shift wraps as in two's complement.
static inline int32_t mw_requantize(int32_t x, int32_t mult, int shift)
{
    const int left = shift > 0 ? shift : 0;
    const int right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)x << left);
    return mw_rounding_divide_by_pot(mw_doubling_high_mul(shifted, mult), right);
}

static inline int32_t mw_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

// Clamped to [-128, 127].
static inline int8_t mw_saturate_s8(int32_t x)
{
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
    __asm("ssat %0, #8, %0" : "+r"(x));
    return (int8_t)x;
#else
    return (int8_t)mw_clamp(x, INT8_MIN, INT8_MAX);
#endif
}

// An accumulator as an int8 output value: clamp(x * mult * 2^(shift - 31) + zp, low, high). The sum wraps as in two's
// complement, which only a factor above 1 can reach.
static inline int8_t mw_requantize_s8(int32_t x, int32_t mult, int shift, int32_t zp, int32_t low, int32_t high)
{
    const int32_t y = (int32_t)((uint32_t)mw_requantize(x, mult, shift) + (uint32_t)zp);
    return (int8_t)mw_clamp(y, low, high);
}

// A sum of 64 bits, |x| < 2^47, as an int16 output value: clamp(x * mult * 2^(shift - 31), low, high), with mult rounded to
// 15 bits; mult in [2^30, 2^31), or 0; -31 <= shift <= 7. What leaves 32 bits wraps as in two's complement.
static inline int16_t mw_requantize_wide(int64_t x, int32_t mult, int shift, int32_t low, int32_t high)
{
    const int32_t mult15 = mult < 0x7fff0000 ? (mult + (1 << 15)) >> 16 : 0x7fff;
    const int right = 15 - shift;
    const int64_t y = (x * mult15 + ((int64_t)1 << (right - 1))) >> right;
    return (int16_t)mw_clamp((int32_t)(uint32_t)y, low, high);
}

// A sum as an int16 output value: by mw_requantize_wide(), or where not `wide`, and it fits in 32 bits, by mw_requantize().
static inline int16_t mw_requantize_s16(int64_t x, int32_t mult, int shift, int32_t wide, int32_t low, int32_t high)
{
    if (wide) {
        return mw_requantize_wide(x, mult, shift, low, high);
    }
    return (int16_t)mw_clamp(mw_requantize((int32_t)x, mult, shift), low, high);
}

#endif
