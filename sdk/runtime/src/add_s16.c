#include "mw/add_s16.h"

#define MW_VALUE int16_t
#define MW_OPERAND int32_t

#include "mw/pairs.h"
#include "mw/requantize.h"

// The inputs get 15 more bits before they are rescaled; 2^15 * 2^15 is 2^30.
static const int32_t headroom = (int32_t)1 << 15;

static int16_t sum(const void *parameters, int32_t a, int32_t b)
{
    const struct mw_add_s16 *const layer = parameters;
    const int32_t x1 = mw_requantize(a * headroom, layer->in1_mult, layer->in1_shift);
    const int32_t x2 = mw_requantize(b * headroom, layer->in2_mult, layer->in2_shift);
    return (int16_t)mw_clamp(mw_requantize(x1 + x2, layer->out_mult, layer->out_shift), layer->act_min, layer->act_max);
}

void mw_add_s16(const struct mw_add_s16 *layer, const int16_t *in1, const int16_t *in2, int16_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, sum, layer);
}
