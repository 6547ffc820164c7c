#include "mw/mul_s8.h"

#include "mw/pairs.h"
#include "mw/requantize.h"

static int8_t product(const void *parameters, int32_t a, int32_t b)
{
    const struct mw_mul_s8 *const layer = parameters;
    return mw_requantize_s8((a - layer->in1_zp) * (b - layer->in2_zp), layer->out_mult, layer->out_shift, layer->out_zp,
                            layer->act_min, layer->act_max);
}

void mw_mul_s8(const struct mw_mul_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, product, layer);
}
