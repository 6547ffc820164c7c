#include "mw/maximum_f32.h"

#define MW_VALUE float
#define MW_OPERAND float

#include "mw/pairs.h"

static float larger(const void *layer, float a, float b)
{
    (void)layer;
    return (float)(a > b ? a : b);
}

void mw_maximum_f32(const struct mw_maximum_f32 *layer, const float *in1, const float *in2, float *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, larger, layer);
}
