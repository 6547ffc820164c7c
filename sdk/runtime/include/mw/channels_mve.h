// Bias and scale of output channels, as flash holds them and as Helium kernels use them.
//
// Flash: a channel takes 7 or 8 bytes. With n channels, rounded up to a multiple of 4, there are
//   uint32 [n]  (exponent / 8) * 2^30 + mult - 2^30
//   uint16 [n]  low half of b
//   int8 or int16 [n]  what is above it,   b = bias * 8 + exponent % 8
// An output is clamp(requantize(bias + sum of products, mult, -exponent) + out_zp); the input's zero point is in the bias.

#ifndef MW_CHANNELS_MVE_H
#define MW_CHANNELS_MVE_H

#include <arm_mve.h>
#include <stdint.h>

// Four channels; a shift is -exponent.
struct mw_four_channels_mve {
    int32x4_t biases, mults, shifts;
};

// Those from channel c of n on, both multiples of 4.
static inline struct mw_four_channels_mve mw_four_channels_mve(const void *channels, int32_t n, int32_t channel_bytes,
                                                               int32_t c)
{
    const uint32_t *words = channels;
    const uint16_t *low = (const uint16_t *)(words + n);
    const int16_t *high16 = (const int16_t *)(low + n);
    const int8_t *high8 = (const int8_t *)high16;
    const int32x4_t high = channel_bytes == 7 ? vldrbq_s32(high8 + c) : vldrhq_s32(high16 + c);
    const int32x4_t b = vorrq_s32(vshlq_n_s32(high, 16), vreinterpretq_s32_u32(vldrhq_u32(low + c)));
    const uint32x4_t word = vldrwq_u32(words + c);
    const uint32x4_t exponent = vorrq_u32(vandq_u32(vreinterpretq_u32_s32(b), vdupq_n_u32(7)),
                                          vshlq_n_u32(vshrq_n_u32(word, 30), 3));
    const uint32x4_t mult = vorrq_n_u32(vbicq_n_u32(word, 0xc0000000u), 0x40000000u);
    return (struct mw_four_channels_mve){vshrq_n_s32(b, 3), vreinterpretq_s32_u32(mult),
                                         vnegq_s32(vreinterpretq_s32_u32(exponent))};
}

// Four channels at a time: biases[4 * i] and scales[8 * i], which has four multipliers, then four shifts (-exponent).
// `channels` is aligned to 4 bytes, `biases` and `scales` to 4. Writes a multiple of four channels.
void mw_channels_mve(int32_t *biases, int32_t *scales, const void *channels, int32_t count, int32_t channel_bytes);

#endif
