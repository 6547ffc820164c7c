// Leaky ReLU, float32.
//   out[i] = in[i] > 0 ? in[i] : in[i] * alpha
// in   float [elements]
// out  float [elements]  may be the same memory as in

#ifndef MW_LEAKY_RELU_F32_H
#define MW_LEAKY_RELU_F32_H

#include <stdint.h>

struct mw_leaky_relu_f32 {
    int32_t elements;
    float alpha;
};

void mw_leaky_relu_f32(const struct mw_leaky_relu_f32 *layer, const float *in, float *out);

#endif
