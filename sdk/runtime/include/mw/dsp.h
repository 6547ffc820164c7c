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

#endif

#endif
