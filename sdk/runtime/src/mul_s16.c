#include "mw/mul_s16.h"

#define MW_VALUE int16_t
#define MW_OPERAND int32_t

#include "mw/pairs.h"
#include "mw/requantize.h"

static int16_t product(const void *parameters, int32_t a, int32_t b)
{
    const struct mw_mul_s16 *const layer = parameters;
    return (int16_t)mw_clamp(mw_requantize(a * b, layer->out_mult, layer->out_shift), layer->act_min, layer->act_max);
}

void mw_mul_s16(const struct mw_mul_s16 *layer, const int16_t *in1, const int16_t *in2, int16_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, product, layer);
}
