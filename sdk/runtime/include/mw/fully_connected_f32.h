// Fully connected, float32. Shapes are those of mw/fully_connected_s8.h.
//   out = clamp(sum of products + bias, act_min, act_max)
// The sum starts from 0 and adds products one by one, each rounded, in order: another order, or products
// that are not rounded, give other last bits.
//
// in       float [batches][in_len]
// out      float [batches][out_len]  may not overlap in
// weights  float [out_len][in_len]
// bias     float [out_len]  may be NULL
// scratch  not used

#ifndef MW_FULLY_CONNECTED_F32_H
#define MW_FULLY_CONNECTED_F32_H

#include <stdint.h>

struct mw_fully_connected_f32 {
    int32_t batches;
    int32_t in_len, out_len;
    float act_min, act_max;
    const float *weights;
    const float *bias;
};

void mw_fully_connected_f32(const struct mw_fully_connected_f32 *layer, const float *in, float *out, void *scratch);

#endif
