// Softmax over the last axis, float32.
//   out[r][i] = e(i) / sum_j e(j),  e(i) = exp((in[r][i] - max_j in[r][j]) * beta), by mw/exp_f32.h; summed in order
// in    float [rows][depth]
// out   float [rows][depth]  may be the same memory as in

#ifndef MW_SOFTMAX_F32_H
#define MW_SOFTMAX_F32_H

#include <stdint.h>

struct mw_softmax_f32 {
    int32_t rows;
    int32_t depth;
    float beta;
};

void mw_softmax_f32(const struct mw_softmax_f32 *layer, const float *in, float *out);

#endif
