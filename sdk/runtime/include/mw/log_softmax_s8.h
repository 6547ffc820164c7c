// Logarithm of the softmax over the last axis, int8.
//   out[r][i] = clamp(round(16 * (d(i) - log(sum_j exp(d(j))))) + 127),  d(i) = scale * (in[r][i] - max_j in[r][j])
// in    int8  [rows][depth], 1 <= depth <= 4095
// out   int8  [rows][depth]  scale 1/16, zero point 127; may be the same memory as in
// mult, shift  input to Q5.26: scale * 2^26; 0 <= shift <= 31
// back_mult, back_shift  the inverse of that; back_shift -31..0
// entries      exp counts as 0 from this many steps below the maximum on, 1 <= entries <= 256

#ifndef MW_LOG_SOFTMAX_S8_H
#define MW_LOG_SOFTMAX_S8_H

#include <stdint.h>

struct mw_log_softmax_s8 {
    int32_t rows;
    int32_t depth;
    int32_t mult, shift;
    int32_t back_mult, back_shift;
    int32_t entries;
};

void mw_log_softmax_s8(const struct mw_log_softmax_s8 *layer, const int8_t *in, int8_t *out);

#endif
