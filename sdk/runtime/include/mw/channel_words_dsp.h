// An output channel's bias and scale as two words: mult, bias * 256 + exponent - 1. 1 <= exponent <= 23.

#ifndef MW_CHANNEL_WORDS_DSP_H
#define MW_CHANNEL_WORDS_DSP_H

#include "mw/dsp.h"

static inline int32_t mw_channel_words_bias(const uint32_t *words)
{
    return (int32_t)words[1] >> 8;
}

// An accumulator as an int8 output value. `odd_zp` is 2 * the output's zero point + 1.
static inline int8_t mw_channel_words_scale(const uint32_t *words, int32_t acc, int32_t odd_zp)
{
    const uint32_t less = words[1] & 255u;
    return mw_requantize_dsp(acc, (int32_t)words[0], (int32_t)((uint32_t)odd_zp << less), (int32_t)less + 1);
}

#endif
