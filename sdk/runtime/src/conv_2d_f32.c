#include "mw/conv_2d_f32.h"

#include "mw/clamp_f32.h"

#define MW_LAYER struct mw_conv_2d_f32
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

#include "mw/conv_2d_loops.h"

void mw_conv_2d_f32(const struct mw_conv_2d_f32 *layer, const float *in, float *out, void *scratch)
{
    (void)scratch;
    conv_2d(layer, in, out);
}
