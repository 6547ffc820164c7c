// Sigmoid, float32, by mw/exp_f32.h.
//   out[i] = 1 / (1 + exp(-in[i]))
// in   float [elements]
// out  float [elements]  may be the same memory as in

#ifndef MW_LOGISTIC_F32_H
#define MW_LOGISTIC_F32_H

#include <stdint.h>

struct mw_logistic_f32 {
    int32_t elements;
};

void mw_logistic_f32(const struct mw_logistic_f32 *layer, const float *in, float *out);

#endif
