#include "mw/quantize_f32_s16.h"

#include "mw/requantize.h"
#include "mw/round_f32.h"

void mw_quantize_f32_s16(const struct mw_quantize_f32_s16 *layer, const float *in, int16_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = (int16_t)mw_clamp(mw_round_f32(in[i] / layer->scale) + layer->zp, INT16_MIN, INT16_MAX);
    }
}
