// Sum, float32, with broadcasting.
//   out = clamp(in1 + in2, act_min, act_max)
// Operands and output lie as mw/add_s8.h says.

#ifndef MW_ADD_F32_H
#define MW_ADD_F32_H

#include <stdint.h>

struct mw_add_f32 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    float act_min;
    float act_max;
};

void mw_add_f32(const struct mw_add_f32 *layer, const float *in1, const float *in2, float *out);

#endif
