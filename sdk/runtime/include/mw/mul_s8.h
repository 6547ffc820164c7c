// Product, int8, with broadcasting.
//   out = clamp(requantize((in1 - in1_zp) * (in2 - in2_zp), out_mult, out_shift) + out_zp, act_min, act_max)
// in1, in2  int8  zero points -128..127
// out       int8  [extents[0]][extents[1]][extents[2]][extents[3]], dense
// An operand's element for output index (a, b, c, d) lies at a * strides[0] + ... + d * strides[3]; a stride is 0 along a
// broadcast axis. out may be the same memory as an operand that is not broadcast.

#ifndef MW_MUL_S8_H
#define MW_MUL_S8_H

#include <stdint.h>

struct mw_mul_s8 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in1_zp;
    int32_t in2_zp;
    int32_t out_zp;
    int32_t out_mult;
    int32_t out_shift;
    int32_t act_min;
    int32_t act_max;
};

void mw_mul_s8(const struct mw_mul_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out);

#endif
