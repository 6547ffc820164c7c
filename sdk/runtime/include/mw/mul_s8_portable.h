// Product, int8, with broadcasting: the same bytes as mul_s8.
//   out = clamp(saturate8(requantize((in1 - in1_zp) * (in2 - in2_zp), mult, -exponent) + out_zp), act_min, act_max)
//
// in1, in2  int8  as in mul_s8.h
// out       int8  dense; may be the same memory as an operand that is not broadcast, or start below it

#ifndef MW_MUL_S8_PORTABLE_H
#define MW_MUL_S8_PORTABLE_H

#include <stdint.h>

struct mw_mul_s8_portable {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in1_zp;
    int32_t in2_zp;
    int32_t out_zp;
    int32_t mult;     // [2^30, 2^31)
    int32_t exponent; // [1, 23]
    int32_t act_min;
    int32_t act_max;
};

void mw_mul_s8_portable(const struct mw_mul_s8_portable *layer, const int8_t *in1, const int8_t *in2, int8_t *out);

#endif
