// The sigmoid at multiples of 1/24, for int16 kernels, which interpolate between them.
//   table[i] = round(s(i) + (s(i + 1/2) - (s(i) + s(i + 1)) / 2) / 2),  s(i) = 2^16 / (1 + exp(-i / 24))
// so half the error in the middle of a step is added; the last one is 65535, as above 10.6 everything is.

#ifndef MW_SIGMOID_TABLE_H
#define MW_SIGMOID_TABLE_H

#include <stdint.h>

extern const uint16_t mw_sigmoid_table[256];

// The sigmoid of x >= 0, in units of 2^-(16 + bits); x in units of 2^-bits / 24, below 255 * 2^bits.
static inline int32_t mw_sigmoid(int32_t x, int bits)
{
    const int32_t low = mw_sigmoid_table[x >> bits];
    const int32_t high = mw_sigmoid_table[(x >> bits) + 1];
    return low * ((int32_t)1 << bits) + (x & (((int32_t)1 << bits) - 1)) * (high - low);
}

// in * mult / 2^shift, rounded to nearest with ties up; 0 <= mult <= 32767, 0 <= shift <= 31.
static inline int32_t mw_sigmoid_argument(int16_t in, int32_t mult, int shift)
{
    const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
    return (in * mult + half) >> shift;
}

#endif
