// Larger of two, float32, with broadcasting.
//   out = max(in1, in2)
// Operands and output lie as mw/add_s8.h says.

#ifndef MW_MAXIMUM_F32_H
#define MW_MAXIMUM_F32_H

#include <stdint.h>

struct mw_maximum_f32 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
};

void mw_maximum_f32(const struct mw_maximum_f32 *layer, const float *in1, const float *in2, float *out);

#endif
