// Hyperbolic tangent, float32, by mw/exp_f32.h.
//   out[i] = tanh(in[i])
// in   float [elements]
// out  float [elements]  may be the same memory as in

#ifndef MW_TANH_F32_H
#define MW_TANH_F32_H

#include <stdint.h>

struct mw_tanh_f32 {
    int32_t elements;
};

void mw_tanh_f32(const struct mw_tanh_f32 *layer, const float *in, float *out);

#endif
