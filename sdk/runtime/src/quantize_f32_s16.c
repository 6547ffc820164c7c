#include "mw/quantize_f32_s16.h"

#include <string.h>

#include "mw/requantize.h"
#include "mw/round_f32.h"

void mw_quantize_f32_s16(const struct mw_quantize_f32_s16 *layer, const float *in, int16_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        // Copied: the output may lie over the input, and compilers take accesses of other types for independent.
        float x;
        memcpy(&x, in + i, sizeof x);
        out[i] = (int16_t)mw_clamp(mw_round_f32(x / layer->scale) + layer->zp, INT16_MIN, INT16_MAX);
    }
}
