// Leaky ReLU, int16; zero points are 0.
//   out[i] = clamp(in[i] >= 0 ? requantize(in[i], mult, shift) : +-requantize(in[i], alpha_mult, alpha_shift), -32768, 32767)
// in   int16 [elements]
// out  int16 [elements]  may be the same memory as in
// alpha_sign  1, or -1 where alpha is below 0

#ifndef MW_LEAKY_RELU_S16_H
#define MW_LEAKY_RELU_S16_H

#include <stdint.h>

struct mw_leaky_relu_s16 {
    int32_t elements;
    int32_t mult, shift;
    int32_t alpha_mult, alpha_shift;
    int32_t alpha_sign;
};

void mw_leaky_relu_s16(const struct mw_leaky_relu_s16 *layer, const int16_t *in, int16_t *out);

#endif
