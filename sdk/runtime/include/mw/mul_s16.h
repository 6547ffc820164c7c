// Product, int16, with broadcasting; zero points are 0.
//   out = clamp(requantize(in1 * in2, out_mult, out_shift), act_min, act_max)
// Operands and output lie as mw/add_s8.h says.

#ifndef MW_MUL_S16_H
#define MW_MUL_S16_H

#include <stdint.h>

struct mw_mul_s16 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t out_mult;
    int32_t out_shift;
    int32_t act_min;
    int32_t act_max;
};

void mw_mul_s16(const struct mw_mul_s16 *layer, const int16_t *in1, const int16_t *in2, int16_t *out);

#endif
