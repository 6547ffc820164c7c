// float32 to int16.
//   out[i] = clamp(round(in[i] / scale) + zp, -32768, 32767), round half away from zero
// in      float32, `elements` of them; infinities saturate, NaN gives the zero point
// out     int16    real value = scale * (out - zp); may start where in does
// scale   above 0

#ifndef MW_QUANTIZE_F32_S16_H
#define MW_QUANTIZE_F32_S16_H

#include <stdint.h>

struct mw_quantize_f32_s16 {
    int32_t elements;
    float scale;
    int32_t zp;
};

void mw_quantize_f32_s16(const struct mw_quantize_f32_s16 *layer, const float *in, int16_t *out);

#endif
