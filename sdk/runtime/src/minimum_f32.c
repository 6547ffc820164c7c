#include "mw/minimum_f32.h"

#define MW_VALUE float
#define MW_OPERAND float

#include "mw/pairs.h"

static float smaller(const void *layer, float a, float b)
{
    (void)layer;
    return (float)(a < b ? a : b);
}

void mw_minimum_f32(const struct mw_minimum_f32 *layer, const float *in1, const float *in2, float *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, smaller, layer);
}
