#include "mw/depthwise_conv_2d_f32.h"

#include "mw/clamp_f32.h"

#define MW_LAYER struct mw_depthwise_conv_2d_f32
#define MW_VALUE float
#define MW_WEIGHT float
#define MW_SUM float

static inline float mac(const MW_LAYER *layer, float sum, float in, float weight)
{
    (void)layer;
    return sum + in * weight;
}

static inline float output(const MW_LAYER *layer, float sum, int32_t channel)
{
    return mw_clamp_f32(sum + (layer->bias ? layer->bias[channel] : 0.0f), layer->act_min, layer->act_max);
}

#include "mw/depthwise_conv_2d_loops.h"

void mw_depthwise_conv_2d_f32(const struct mw_depthwise_conv_2d_f32 *layer, const float *in, float *out, void *scratch)
{
    (void)scratch;
    depthwise_conv_2d(layer, in, out);
}
