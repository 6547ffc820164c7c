// Quotient, int8, with broadcasting.
//   out = clamp((in1 - in1_zp) / (in2 - in2_zp) * mult * 2^(shift - 31) + out_zp, act_min, act_max)
// by the reciprocal of the divisor, with TensorFlow Lite's rounding; where it shifts by more than 31 bits, as a Cortex-M
// does. A division by 0 gives the largest result of the dividend's sign, and 0 / 0 is 0.
// in1, in2  int8  zero points -128..127; shift -31..23
// out       int8  [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h

#ifndef MW_DIV_S8_H
#define MW_DIV_S8_H

#include <stdint.h>

struct mw_div_s8 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in1_zp;
    int32_t in2_zp;
    int32_t out_zp;
    int32_t mult;
    int32_t shift;
    int32_t act_min;
    int32_t act_max;
};

void mw_div_s8(const struct mw_div_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out);

#endif
