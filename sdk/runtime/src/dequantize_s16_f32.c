#include "mw/dequantize_s16_f32.h"

#include <string.h>

void mw_dequantize_s16_f32(const struct mw_dequantize_s16_f32 *layer, const int16_t *in, float *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        // Copied: the output may lie over the input, and compilers take accesses of other types for independent.
        int16_t x;
        memcpy(&x, in + i, sizeof x);
        out[i] = layer->scale * (float)(x - layer->zp);
    }
}
