// Types, sums and outputs of plain float layers with weights. Before including this, define MW_LAYER, the parameters' type.

#ifndef MW_PRODUCTS_F32_H
#define MW_PRODUCTS_F32_H

#include "mw/clamp_f32.h"

#define MW_VALUE float
#define MW_WEIGHT float
#define MW_SUM float

static inline float mac(const MW_LAYER *layer, float sum, const float *in, const float *weights, int32_t count)
{
    (void)layer;
    for (int32_t i = 0; i < count; ++i) {
        sum += in[i] * weights[i];
    }
    return sum;
}

static inline float output(const MW_LAYER *layer, float sum, int32_t channel)
{
    return mw_clamp_f32(sum + (layer->bias ? layer->bias[channel] : 0.0f), layer->act_min, layer->act_max);
}

#endif
