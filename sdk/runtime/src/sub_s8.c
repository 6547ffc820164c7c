#include "mw/sub_s8.h"

#include "mw/pairs.h"
#include "mw/requantize.h"

// The inputs get 20 more bits before they are rescaled; (127 + 128) * 2^20 is below 2^28.
static const int32_t headroom = (int32_t)1 << 20;

static int8_t difference(const void *parameters, int32_t a, int32_t b)
{
    const struct mw_sub_s8 *const layer = parameters;
    const int32_t x1 = mw_requantize((a - layer->in1_zp) * headroom, layer->in1_mult, layer->in1_shift);
    const int32_t x2 = mw_requantize((b - layer->in2_zp) * headroom, layer->in2_mult, layer->in2_shift);
    return mw_requantize_s8(x1 - x2, layer->out_mult, layer->out_shift, layer->out_zp, layer->act_min, layer->act_max);
}

void mw_sub_s8(const struct mw_sub_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, difference, layer);
}
