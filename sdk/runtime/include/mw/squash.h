// Sigmoid and hyperbolic tangent of one int16 value, by interpolation in a table (mw/sigmoid_table.h).
//   mult / 2^shift is the input's scale * 2^12 * 3; 0 <= mult <= 32767, 0 <= shift <= 31; the output has scale 2^-15

#ifndef MW_SQUASH_H
#define MW_SQUASH_H

#include <stdint.h>

#include "mw/sigmoid_table.h"

// 1 / (1 + exp(-in))
static inline int16_t mw_logistic_of(int16_t in, int32_t mult, int shift)
{
    const int bits = 9;
    const int32_t half_step = (int32_t)1 << bits;
    const int32_t x = mw_sigmoid_argument(in, mult, shift);
    const int32_t size = x < 0 ? -x : x;
    const int32_t y = size < 255 * half_step ? mw_sigmoid(size, bits) : INT16_MAX * (half_step * 2);
    const int32_t one = (int32_t)1 << (16 + bits);
    return (int16_t)((x < 0 ? one - y + half_step - 1 : y + half_step) >> (bits + 1));
}

// 2 / (1 + exp(-2 * in)) - 1
static inline int16_t mw_tanh_of(int16_t in, int32_t mult, int shift)
{
    const int bits = 8;
    const int32_t half_step = (int32_t)1 << (bits - 1);
    const int32_t x = mw_sigmoid_argument(in, mult, shift);
    const int32_t size = x < 0 ? -x : x;
    const int32_t y = size < 255 * (half_step * 2) ? mw_sigmoid(size, bits) : UINT16_MAX * (half_step * 2);
    const int32_t half = (int32_t)1 << (15 + bits);
    return (int16_t)((x < 0 ? half_step - 1 - (y - half) : y - half + half_step) >> bits);
}

#endif
