// Sum, int16, with broadcasting; zero points are 0.
//   sum = requantize(in1 * 2^15, in1_mult, in1_shift) + requantize(in2 * 2^15, in2_mult, in2_shift)
//   out = clamp(requantize(sum, out_mult, out_shift), act_min, act_max)
// Shifts are -31..0, so that nothing overflows. Operands and output lie as mw/add_s8.h says.

#ifndef MW_ADD_S16_H
#define MW_ADD_S16_H

#include <stdint.h>

struct mw_add_s16 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in1_mult;
    int32_t in1_shift;
    int32_t in2_mult;
    int32_t in2_shift;
    int32_t out_mult;
    int32_t out_shift;
    int32_t act_min;
    int32_t act_max;
};

void mw_add_s16(const struct mw_add_s16 *layer, const int16_t *in1, const int16_t *in2, int16_t *out);

#endif
