// An output channel's bias and scale as two words: mult, bias * 256 + exponent - 1. 1 <= exponent <= 23.

#ifndef MW_CHANNEL_WORDS_DSP_H
#define MW_CHANNEL_WORDS_DSP_H

// Assembly that writes an output value and goes on to the next: clamp(requantize(acc)) as in gemm_dsp.h. `doubled` holds
// 2 * acc, `mult` and `word` the channel's words, `odd_zp` 2 * the output's zero point + 1. Changes `value`; the core looks
// at the low byte of `word` alone for how far to shift.
#define MW_CHANNEL_WORDS_STORE(doubled, mult, word, odd_zp, value, out) \
    "lsl " value ", " odd_zp ", " word "\n\t" \
    "smmlar " value ", " doubled ", " mult ", " value "\n\t" \
    "add " value ", " value ", " doubled ", asr #31\n\t" \
    "asr " value ", " value ", " word "\n\t" \
    "ssat " value ", #8, " value ", asr #1\n\t" \
    "strb " value ", [" out "], #1\n\t"

#endif
