#include "mw/mul_f32.h"

#define MW_VALUE float
#define MW_OPERAND float

#include "mw/clamp_f32.h"
#include "mw/pairs.h"

static float product(const void *parameters, float a, float b)
{
    const struct mw_mul_f32 *const layer = parameters;
    return mw_clamp_f32(a * b, layer->act_min, layer->act_max);
}

void mw_mul_f32(const struct mw_mul_f32 *layer, const float *in1, const float *in2, float *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, product, layer);
}
