// Sum, int8, with broadcasting, for Helium: the same bytes as add_s8.
//   out = clamp(saturate8((scale1 * in1 + scale2 * in2 + offset + 2^20 + 2^15) >> 21), act_min, act_max)
// What is added after the offset comes from two rounding shifts, by 16 and by 5.
// The compiler chooses scales and offset so that this is right for each pair of operands, and lies in 32 bits.
// in1, in2  int8  as in add_s8.h, with strides[3] 1, or extents[3] 1
// out       int8  dense; may be the same memory as an operand that is not broadcast, or start below it

#ifndef MW_ADD_S8_MVE_H
#define MW_ADD_S8_MVE_H

#include <stdint.h>

struct mw_add_s8_mve {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t scale1, scale2;
    int32_t offset;
    int32_t act_min, act_max;
};

void mw_add_s8_mve(const struct mw_add_s8_mve *layer, const int8_t *in1, const int8_t *in2, int8_t *out);

#endif
