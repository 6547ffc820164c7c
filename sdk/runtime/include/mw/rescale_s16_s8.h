// From one scale and zero point to another, int16 to int8.
//   out[i] = clamp(requantize(in[i] - in_zp, mult, shift) + out_zp, act_min, act_max)
// in   int16 [elements]
// out  int8 [elements]  may be the same memory as in

#ifndef MW_RESCALE_S16_S8_H
#define MW_RESCALE_S16_S8_H

#include <stdint.h>

struct mw_rescale_s16_s8 {
    int32_t elements;
    int32_t in_zp, out_zp;
    int32_t mult, shift;
    int32_t act_min, act_max;
};

void mw_rescale_s16_s8(const struct mw_rescale_s16_s8 *layer, const int16_t *in, int8_t *out);

#endif
