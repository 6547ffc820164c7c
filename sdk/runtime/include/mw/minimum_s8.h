// Smaller of two, int8 of one scale and zero point, with broadcasting.
//   out = min(in1, in2)
// in1, in2  int8
// out       int8  [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h

#ifndef MW_MINIMUM_S8_H
#define MW_MINIMUM_S8_H

#include <stdint.h>

struct mw_minimum_s8 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
};

void mw_minimum_s8(const struct mw_minimum_s8 *layer, const void *in1, const void *in2, void *out);

#endif
