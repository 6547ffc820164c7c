// Softmax over the last axis, int16, by two tables with a step of 128, between which it interpolates.
//   out[r][i] = e(i) / sum_j e(j) in units of 2^-15,  e(i) = exp(beta * scale * (in[r][i] - max_j in[r][j]))
// in    int16 [rows][depth]  zero point 0, 1 <= depth <= 65535
// out   int16 [rows][depth]  scale 2^-15, zero point 0; may be the same memory as in
// mult, shift  from differences of the input to units of 10 / 65535: -31 <= shift <= 15
// exps         int16 [513]  exp of -10 to 0, in units of 2^-15
// reciprocals  int16 [513]  1 / (1 + x) for x from 0 to 1, in units of 2^-15

#ifndef MW_SOFTMAX_S16_H
#define MW_SOFTMAX_S16_H

#include <stdint.h>

struct mw_softmax_s16 {
    int32_t rows;
    int32_t depth;
    int32_t mult, shift;
    const int16_t *exps;
    const int16_t *reciprocals;
};

void mw_softmax_s16(const struct mw_softmax_s16 *layer, const int16_t *in, int16_t *out);

#endif
