// Leaky ReLU whose slope is a tensor, int8, with broadcasting.
//   x = in - in_zp
//   out = clamp(requantize(x, mult, shift) + out_zp, -128, 127)                                            where x >= 0
//         clamp(requantize(x * (slope - slope_zp), slope_mult, slope_shift) + out_zp, -128, 127)           elsewhere
// in, slope  int8  zero points -128..127
// out        int8  [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h

#ifndef MW_PRELU_S8_H
#define MW_PRELU_S8_H

#include <stdint.h>

struct mw_prelu_s8 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in_zp;
    int32_t slope_zp;
    int32_t out_zp;
    int32_t mult;
    int32_t shift;
    int32_t slope_mult;
    int32_t slope_shift;
};

void mw_prelu_s8(const struct mw_prelu_s8 *layer, const int8_t *in, const int8_t *slope, int8_t *out);

#endif
