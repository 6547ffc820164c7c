// Comparison, int32, with broadcasting.
//   out = bit 0 of accepts where in1 < in2, bit 1 where they are equal, bit 2 where in1 > in2
// in1, in2  int32
// out       0 or 1, a byte each, [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h

#ifndef MW_COMPARE_S32_H
#define MW_COMPARE_S32_H

#include <stdint.h>

struct mw_compare_s32 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t accepts;
};

void mw_compare_s32(const struct mw_compare_s32 *layer, const int32_t *in1, const int32_t *in2, void *out);

#endif
