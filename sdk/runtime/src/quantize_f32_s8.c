#include "mw/quantize_f32_s8.h"

#include "mw/requantize.h"
#include "mw/round_f32.h"

void mw_quantize_f32_s8(const struct mw_quantize_f32_s8 *layer, const float *in, int8_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = (int8_t)mw_clamp(mw_round_f32(in[i] / layer->scale) + layer->zp, INT8_MIN, INT8_MAX);
    }
}
