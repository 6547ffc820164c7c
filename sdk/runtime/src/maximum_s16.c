#include "mw/maximum_s16.h"

#define MW_VALUE int16_t
#define MW_OPERAND int32_t

#include "mw/pairs.h"

static int16_t larger(const void *layer, int32_t a, int32_t b)
{
    (void)layer;
    return (int16_t)(a > b ? a : b);
}

void mw_maximum_s16(const struct mw_maximum_s16 *layer, const int16_t *in1, const int16_t *in2, int16_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, larger, layer);
}
