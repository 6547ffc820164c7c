#include "mw/prelu_s8.h"

#include "mw/pairs.h"
#include "mw/requantize.h"

static int8_t prelu(const void *parameters, int32_t a, int32_t b)
{
    const struct mw_prelu_s8 *const layer = parameters;
    const int32_t x = a - layer->in_zp;
    if (x >= 0) {
        return mw_requantize_s8(x, layer->mult, layer->shift, layer->out_zp, INT8_MIN, INT8_MAX);
    }
    return mw_requantize_s8(x * (b - layer->slope_zp), layer->slope_mult, layer->slope_shift, layer->out_zp, INT8_MIN,
                            INT8_MAX);
}

void mw_prelu_s8(const struct mw_prelu_s8 *layer, const int8_t *in, const int8_t *slope, int8_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in, slope, out, prelu, layer);
}
