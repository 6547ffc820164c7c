#include "mw/quantize_f32_s8.h"

#include "mw/requantize.h"

// Nearest integer, half away from zero, saturated to -256..256: beyond 255 every zero point saturates the output.
// Without libm; exact, because for such values the fraction is a float.
static int32_t round_half_away(float x)
{
    if (x >= 256.0f) {
        return 256;
    }
    if (x <= -256.0f) {
        return -256;
    }
    if (x != x) {
        return 0;
    }
    const int32_t whole = (int32_t)x;
    const float fraction = x - (float)whole;
    return whole + (fraction >= 0.5f ? 1 : 0) - (fraction <= -0.5f ? 1 : 0);
}

void mw_quantize_f32_s8(const struct mw_quantize_f32_s8 *layer, const float *in, int8_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = (int8_t)mw_clamp(round_half_away(in[i] / layer->scale) + layer->zp, INT8_MIN, INT8_MAX);
    }
}
