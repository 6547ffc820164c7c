// Difference, int8, with broadcasting.
//   difference = requantize((in1 - in1_zp) * 2^20, in1_mult, in1_shift) - requantize((in2 - in2_zp) * 2^20, in2_mult,
//                in2_shift)
//   out = clamp(requantize(difference, out_mult, out_shift) + out_zp, act_min, act_max)
// in1, in2  int8  zero points -128..127; shifts -31..0, so that nothing overflows
// out       int8  [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h

#ifndef MW_SUB_S8_H
#define MW_SUB_S8_H

#include <stdint.h>

struct mw_sub_s8 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in1_zp;
    int32_t in1_mult;
    int32_t in1_shift;
    int32_t in2_zp;
    int32_t in2_mult;
    int32_t in2_shift;
    int32_t out_zp;
    int32_t out_mult;
    int32_t out_shift;
    int32_t act_min;
    int32_t act_max;
};

void mw_sub_s8(const struct mw_sub_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out);

#endif
