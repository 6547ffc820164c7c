// Smaller of two, int16 of one scale, with broadcasting.
//   out = min(in1, in2)
// Operands and output lie as mw/add_s8.h says.

#ifndef MW_MINIMUM_S16_H
#define MW_MINIMUM_S16_H

#include <stdint.h>

struct mw_minimum_s16 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
};

void mw_minimum_s16(const struct mw_minimum_s16 *layer, const int16_t *in1, const int16_t *in2, int16_t *out);

#endif
