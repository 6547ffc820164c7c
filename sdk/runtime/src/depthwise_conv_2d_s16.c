#include "mw/depthwise_conv_2d_s16.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_depthwise_conv_2d_s16
#define MW_VALUE int16_t
#define MW_WEIGHT int8_t
// A window of so few taps fits.
#define MW_SUM int32_t

static inline int32_t mac(const MW_LAYER *layer, int32_t sum, int16_t in, int8_t weight)
{
    (void)layer;
    return sum + in * weight;
}

static inline int16_t output(const MW_LAYER *layer, int32_t sum, int32_t channel)
{
    const int64_t acc = (layer->bias ? layer->bias[channel] : 0) + sum;
    return mw_requantize_s16(acc, layer->mult[channel], layer->shift[channel], layer->wide, layer->act_min,
                             layer->act_max);
}

#include "mw/depthwise_conv_2d_loops.h"

void mw_depthwise_conv_2d_s16(const struct mw_depthwise_conv_2d_s16 *layer, const int16_t *in, int16_t *out, void *scratch)
{
    (void)scratch;
    depthwise_conv_2d(layer, in, out);
}
