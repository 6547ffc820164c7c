#include "mw/compare_s8.h"

#include "mw/pairs.h"
#include "mw/requantize.h"

static int8_t compare(const void *parameters, int32_t a, int32_t b)
{
    const struct mw_compare_s8 *const layer = parameters;
    const int32_t x1 = mw_requantize((a - layer->in1_zp) * 256, layer->in1_mult, layer->in1_shift);
    const int32_t x2 = mw_requantize((b - layer->in2_zp) * 256, layer->in2_mult, layer->in2_shift);
    return (int8_t)(layer->accepts >> (1 + (x1 > x2) - (x1 < x2)) & 1);
}

void mw_compare_s8(const struct mw_compare_s8 *layer, const void *in1, const void *in2, void *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, compare, layer);
}
