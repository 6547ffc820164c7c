// Comparison, int8, with broadcasting: of the numbers that the integers stand for, in steps of 1/256.
//   xK  = requantize((inK - inK_zp) * 2^8, inK_mult, inK_shift)
//   out = bit 0 of accepts where x1 < x2, bit 1 where they are equal, bit 2 where x1 > x2
// in1, in2  int8  zero points -128..127; shifts -31..0, so that nothing overflows
// out       0 or 1, a byte each, [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h

#ifndef MW_COMPARE_S8_H
#define MW_COMPARE_S8_H

#include <stdint.h>

struct mw_compare_s8 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t in1_zp;
    int32_t in1_mult;
    int32_t in1_shift;
    int32_t in2_zp;
    int32_t in2_mult;
    int32_t in2_shift;
    int32_t accepts;
};

void mw_compare_s8(const struct mw_compare_s8 *layer, const void *in1, const void *in2, void *out);

#endif
