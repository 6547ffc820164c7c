// An output channel's bias and scale: packed in flash, ready for use in RAM.

#ifndef MW_CHANNEL_H
#define MW_CHANNEL_H

#include <stdint.h>

// In flash, a channel takes 7 or 8 bytes, the same for all of a layer: a little-endian word and the rest, which has a
// sign.
//   (exponent >> 3) * 2^30 + mult - 2^30
//   bias * 8 + (exponent & 7)
// In RAM: out = (mult * 2 * acc / 2^32 + round) >> exponent, where acc starts from bias and round holds out_zp.
struct mw_channel {
    int32_t bias, mult, round, exponent;
};

// What mw_channel_scale takes: |acc| is less.
#define MW_CHANNEL_LIMIT ((1 << 23) - (1 << 16))

// `count` channels in RAM from `count` channels of channel_bytes each in flash.
static inline void mw_channels_unpack(struct mw_channel *channels, const uint8_t *packed, int32_t channel_bytes,
                                      int32_t count, int32_t out_zp)
{
    for (; count > 0; --count, ++channels, packed += channel_bytes) {
        uint32_t words[2] = {0, 0};
        for (int32_t i = 0; i < channel_bytes; ++i) {
            words[i >> 2] |= (uint32_t)packed[i] << (8 * (i & 3));
        }
        words[1] <<= 8 * (8 - channel_bytes);
        const int32_t rest = (int32_t)words[1] >> (8 * (8 - channel_bytes));
        const int32_t exponent = (rest & 7) | (int32_t)(words[0] >> 30 << 3);
        channels->bias = rest >> 3;
        channels->mult = (int32_t)((words[0] & 0x3fffffffu) | 0x40000000u);
        channels->round = (2 * out_zp + 1) * ((int32_t)1 << (exponent - 1));
        channels->exponent = exponent;
    }
}

// An accumulator as an int8 output value, rounded as TensorFlow Lite rounds, saturated. Ties go away from zero: below it,
// a little less is added.
static inline int8_t mw_channel_scale(struct mw_channel channel, int32_t acc)
{
#if defined(__thumb2__) && defined(__GNUC__)
    int32_t low;
    int32_t high;
    __asm("lsl %[high], %[acc], #1\n\t"
#if defined(__ARM_FEATURE_DSP)
          "smmlar %[high], %[high], %[mult], %[round]\n\t"
#else
          "smull %[low], %[high], %[high], %[mult]\n\t"
          "lsls %[low], %[low], #1\n\t"
          "adc %[high], %[high], %[round]\n\t"
#endif
          "add %[high], %[high], %[acc], asr #31\n\t"
          "asr %[high], %[high], %[exponent]\n\t"
          "ssat %[high], #8, %[high]"
          : [low] "=&r"(low), [high] "=&r"(high)
          : [acc] "r"(acc), [mult] "r"(channel.mult), [round] "r"(channel.round), [exponent] "r"(channel.exponent)
          : "cc");
    return (int8_t)high;
#else
#if defined(__thumb__)
    // Such a core multiplies to 32 bits only: of the product by halves, what counts above 2^16.
    const int32_t acc_low = (int16_t)acc;
    const int32_t acc_high = (acc - acc_low) >> 16;
    const int32_t mult_low = channel.mult & 0xffff;
    const int32_t mult_high = channel.mult >> 16;
    const int32_t middle = acc_high * mult_low + acc_low * mult_high + ((acc_low * mult_low) >> 16);
    const int32_t high = 2 * acc_high * mult_high + ((middle + (1 << 14)) >> 15) + channel.round;
#else
    const int64_t start = (int64_t)channel.round * ((int64_t)1 << 32) + ((int64_t)1 << 31);
    const int32_t high = (int32_t)((start + (int64_t)(2 * acc) * channel.mult) >> 32);
#endif
    const int32_t y = (high + (acc >> 31)) >> channel.exponent;
    return (int8_t)(y < INT8_MIN ? INT8_MIN : y > INT8_MAX ? INT8_MAX : y);
#endif
}

// Clamp in place.
static inline void mw_clamp_s8(int8_t *values, int32_t count, int32_t low, int32_t high)
{
    if (low <= INT8_MIN && high >= INT8_MAX) {
        return;
    }
    for (int32_t i = 0; i < count; ++i) {
        const int32_t value = values[i];
        values[i] = (int8_t)(value < low ? low : value > high ? high : value);
    }
}

#endif
