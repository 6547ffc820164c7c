// From one scale and zero point to another, int8 to int16.
//   out[i] = clamp(requantize(in[i] - in_zp, mult, shift) + out_zp, act_min, act_max)
// in   int8 [elements]
// out  int16 [elements]  may overlap in where it ends at or below the end of in

#ifndef MW_RESCALE_S8_S16_H
#define MW_RESCALE_S8_S16_H

#include <stdint.h>

struct mw_rescale_s8_s16 {
    int32_t elements;
    int32_t in_zp, out_zp;
    int32_t mult, shift;
    int32_t act_min, act_max;
};

void mw_rescale_s8_s16(const struct mw_rescale_s8_s16 *layer, const int8_t *in, int16_t *out);

#endif
