#include "mw/depthwise_conv_2d_s8.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_depthwise_conv_2d_s8
#define MW_VALUE int8_t
#define MW_WEIGHT int8_t
#define MW_SUM int32_t

static inline int32_t mac(const MW_LAYER *layer, int32_t sum, int8_t in, int8_t weight)
{
    return sum + (in - layer->in_zp) * weight;
}

static inline int8_t output(const MW_LAYER *layer, int32_t sum, int32_t channel)
{
    const int32_t acc = (layer->bias ? layer->bias[channel] : 0) + sum;
    return mw_requantize_s8(acc, layer->mult[channel], layer->shift[channel], layer->out_zp, layer->act_min,
                            layer->act_max);
}

#include "mw/depthwise_conv_2d_loops.h"

void mw_depthwise_conv_2d_s8(const struct mw_depthwise_conv_2d_s8 *layer, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    depthwise_conv_2d(layer, in, out);
}
