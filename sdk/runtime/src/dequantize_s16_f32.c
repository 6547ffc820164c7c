#include "mw/dequantize_s16_f32.h"

void mw_dequantize_s16_f32(const struct mw_dequantize_s16_f32 *layer, const int16_t *in, float *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = layer->scale * (float)(in[i] - layer->zp);
    }
}
