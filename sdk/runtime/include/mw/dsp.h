// Instructions of the DSP extension as functions. Elsewhere the same in C, so that the kernels can be tested on a host.

#ifndef MW_DSP_H
#define MW_DSP_H

#include <stdint.h>
#include <string.h>

static inline uint32_t mw_load32(const void *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

// Bytes 0 and 2, sign-extended to 16 bits.
static inline uint32_t mw_sxtb16(uint32_t word)
{
    uint32_t halves;
    __asm("sxtb16 %0, %1" : "=r"(halves) : "r"(word));
    return halves;
}

// Bytes 1 and 3, sign-extended to 16 bits.
static inline uint32_t mw_sxtb16_odd(uint32_t word)
{
    uint32_t halves;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
    return halves;
}

// Bytes 0 and 2, or 1 and 3, sign-extended to 16 bits and added to two 16-bit halves.
static inline uint32_t mw_sxtab16(uint32_t halves, uint32_t word)
{
    uint32_t sums;
    __asm("sxtab16 %0, %1, %2" : "=r"(sums) : "r"(halves), "r"(word));
    return sums;
}

static inline uint32_t mw_sxtab16_odd(uint32_t halves, uint32_t word)
{
    uint32_t sums;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(sums) : "r"(halves), "r"(word));
    return sums;
}

// The low halves of a and b as the low and high half, or the high ones.
static inline uint32_t mw_pkh_low(uint32_t a, uint32_t b)
{
    uint32_t halves;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(a), "r"(b));
    return halves;
}

static inline uint32_t mw_pkh_high(uint32_t a, uint32_t b)
{
    uint32_t halves;
    __asm("pkhtb %0, %2, %1, asr #16" : "=r"(halves) : "r"(a), "r"(b));
    return halves;
}

// acc + a * b of the low 16-bit halves, or of the high ones; wraps.
static inline int32_t mw_smlabb(uint32_t a, uint32_t b, int32_t acc)
{
    int32_t sum;
    __asm("smlabb %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

static inline int32_t mw_smlatt(uint32_t a, uint32_t b, int32_t acc)
{
    int32_t sum;
    __asm("smlatt %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

// acc + a.low * b.low + a.high * b.high of 16-bit halves; wraps.
static inline int32_t mw_smlad(uint32_t a, uint32_t b, int32_t acc)
{
    int32_t sum;
    __asm("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

// acc + a * b / 2^32, rounded to nearest, ties up.
static inline int32_t mw_smmlar(int32_t a, int32_t b, int32_t acc)
{
    int32_t sum;
    __asm("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

// Clamped to [-128, 127].
static inline int32_t mw_ssat8(int32_t value)
{
    int32_t clamped;
    __asm("ssat %0, #8, %1" : "=r"(clamped) : "r"(value));
    return clamped;
}

// saturate8(requantize(acc, mult, -exponent) + zp), see requantize.h, where round = (2 * zp + 1) * 2^(exponent - 1).
// |acc| < 2^30, 1 <= exponent <= 23.
static inline int8_t mw_requantize_dsp(int32_t acc, int32_t mult, int32_t round, int32_t exponent)
{
    return (int8_t)mw_ssat8((mw_smmlar(acc * 2, mult, round) + (acc >> 31)) >> exponent);
}

#endif

#endif
