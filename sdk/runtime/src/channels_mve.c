#include "mw/channels_mve.h"

#include <arm_mve.h>

void mw_channels_mve(int32_t *biases, int32_t *scales, const void *channels, int32_t count, int32_t channel_bytes)
{
    const int32_t padded = (count + 3) & ~3;
    const uint32_t *words = channels;
    const uint16_t *low = (const uint16_t *)(words + padded);
    const int16_t *high16 = (const int16_t *)(low + padded);
    const int8_t *high8 = (const int8_t *)high16;
    for (int32_t c = 0; c < padded; c += 4) {
        const int32x4_t high = channel_bytes == 7 ? vldrbq_s32(high8 + c) : vldrhq_s32(high16 + c);
        const int32x4_t b = vorrq_s32(vshlq_n_s32(high, 16), vreinterpretq_s32_u32(vldrhq_u32(low + c)));
        const uint32x4_t word = vldrwq_u32(words + c);
        const uint32x4_t exponent = vorrq_u32(vandq_u32(vreinterpretq_u32_s32(b), vdupq_n_u32(7)),
                                              vshlq_n_u32(vshrq_n_u32(word, 30), 3));
        const uint32x4_t mult = vorrq_n_u32(vbicq_n_u32(word, 0xc0000000u), 0x40000000u);
        vstrwq_s32(biases + c, vshrq_n_s32(b, 3));
        vstrwq_s32(scales + 2 * c, vreinterpretq_s32_u32(mult));
        vstrwq_s32(scales + 2 * c + 4, vnegq_s32(vreinterpretq_s32_u32(exponent)));
    }
}
