// ReLU and ReLU6, float32.
//   out[i] = max(in[i], 0), where act_max is above 0 at most that; infinity stays without it, NaN in any case
// in   float [elements]
// out  float [elements]  may be the same memory as in

#ifndef MW_RELU_F32_H
#define MW_RELU_F32_H

#include <stdint.h>

struct mw_relu_f32 {
    int32_t elements;
    float act_max;
};

void mw_relu_f32(const struct mw_relu_f32 *layer, const float *in, float *out);

#endif
