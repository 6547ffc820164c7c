// int16 to float32.
//   out[i] = scale * (in[i] - zp), rounded once to float32
// in      int16    `elements` of them
// out     float32; in may be its last half

#ifndef MW_DEQUANTIZE_S16_F32_H
#define MW_DEQUANTIZE_S16_F32_H

#include <stdint.h>

struct mw_dequantize_s16_f32 {
    int32_t elements;
    float scale;
    int32_t zp;
};

void mw_dequantize_s16_f32(const struct mw_dequantize_s16_f32 *layer, const int16_t *in, float *out);

#endif
