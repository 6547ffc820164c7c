// int8 to float32.
//   out[i] = scale * (in[i] - zp), rounded once to float32
// in      int8    `elements` of them
// out     float32; in may be its last quarter

#ifndef MW_DEQUANTIZE_S8_F32_H
#define MW_DEQUANTIZE_S8_F32_H

#include <stdint.h>

struct mw_dequantize_s8_f32 {
    int32_t elements;
    float scale;
    int32_t zp;
};

void mw_dequantize_s8_f32(const struct mw_dequantize_s8_f32 *layer, const int8_t *in, float *out);

#endif
