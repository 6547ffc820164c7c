#include "mw/minimum_s8.h"

#include "mw/pairs.h"

static int8_t smaller(const void *layer, int32_t a, int32_t b)
{
    (void)layer;
    return (int8_t)(a < b ? a : b);
}

void mw_minimum_s8(const struct mw_minimum_s8 *layer, const void *in1, const void *in2, void *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, smaller, layer);
}
