// Softmax over the last axis, int8.
//   out[r][i] = clamp(round(256 * e(i) / sum_j e(j)) - 128),  e(i) = exp(beta * scale * (in[r][i] - max_j in[r][j]))
// in    int8  [rows][depth], 1 <= depth <= 4095
// out   int8  [rows][depth]  scale 1/256, zero point -128; may be the same memory as in
// exps  int32 [entries]      exps[d] = e at d below the maximum, Q0.31; 0 from `entries` on, 1 <= entries <= 256

#ifndef MW_SOFTMAX_S8_H
#define MW_SOFTMAX_S8_H

#include <stdint.h>

struct mw_softmax_s8 {
    int32_t rows;
    int32_t depth;
    int32_t entries;
    const int32_t *exps;
};

void mw_softmax_s8(const struct mw_softmax_s8 *layer, const int8_t *in, int8_t *out);

#endif
