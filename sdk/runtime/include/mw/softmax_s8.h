// Softmax over the last axis, int8.
//   out[r][i] = clamp(round(256 * e(i) / sum_j e(j)) - 128),  e(i) = exp(beta * scale * (in[r][i] - max_j in[r][j]))
// in    int8  [rows][depth], 1 <= depth <= 4095
// out   int8  [rows][depth]  scale 1/256, zero point -128; may be the same memory as in
// mult, shift  input to Q5.26: beta * scale * 2^26; 0 <= shift <= 31
// entries      e counts as 0 from this many steps below the maximum on, 1 <= entries <= 256
// scratch      e of a row: 4 bytes an element

#ifndef MW_SOFTMAX_S8_H
#define MW_SOFTMAX_S8_H

#include <stdint.h>

struct mw_softmax_s8 {
    int32_t rows;
    int32_t depth;
    int32_t mult, shift;
    int32_t entries;
};

void mw_softmax_s8(const struct mw_softmax_s8 *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
