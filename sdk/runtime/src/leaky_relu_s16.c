#include "mw/leaky_relu_s16.h"

#include "mw/requantize.h"

void mw_leaky_relu_s16(const struct mw_leaky_relu_s16 *layer, const int16_t *in, int16_t *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        const int32_t y = in[i] >= 0 ? mw_requantize(in[i], layer->mult, layer->shift)
                                     : layer->alpha_sign * mw_requantize(in[i], layer->alpha_mult, layer->alpha_shift);
        out[i] = (int16_t)mw_clamp(y, INT16_MIN, INT16_MAX);
    }
}
