// Sigmoid, int16, by interpolation in a table (mw/squash.h).
//   out[i] = 1 / (1 + exp(-in[i] * in_scale)) in units of 2^-15
// in   int16 [elements]  zero point 0
// out  int16 [elements]  scale 2^-15, zero point 0; may be the same memory as in
// mult, shift  mult / 2^shift is in_scale * 2^12 * 3; 0 <= mult <= 32767, 0 <= shift <= 31

#ifndef MW_LOGISTIC_S16_H
#define MW_LOGISTIC_S16_H

#include <stdint.h>

struct mw_logistic_s16 {
    int32_t elements;
    int32_t mult, shift;
};

void mw_logistic_s16(const struct mw_logistic_s16 *layer, const int16_t *in, int16_t *out);

#endif
