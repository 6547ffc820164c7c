// float32 to int8.
//   out[i] = clamp(round(in[i] / scale) + zp, -128, 127), round half away from zero
// in      float32, `elements` of them; infinities saturate, NaN gives the zero point
// out     int8    real value = scale * (out - zp); may start where in does
// scale   above 0

#ifndef MW_QUANTIZE_F32_S8_H
#define MW_QUANTIZE_F32_S8_H

#include <stdint.h>

struct mw_quantize_f32_s8 {
    int32_t elements;
    float scale;
    int32_t zp;
};

void mw_quantize_f32_s8(const struct mw_quantize_f32_s8 *layer, const float *in, int8_t *out);

#endif
