#include "mw/conv_2d_s16.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_conv_2d_s16

#include "mw/products_s16.h"

static inline int16_t output(const MW_LAYER *layer, int64_t sum, int32_t channel)
{
    const int64_t acc = (layer->bias ? layer->bias[channel] : 0) + sum;
    return mw_requantize_s16(acc, layer->mult[channel], layer->shift[channel], layer->wide, layer->act_min,
                             layer->act_max);
}

#include "mw/conv_2d_loops.h"

void mw_conv_2d_s16(const struct mw_conv_2d_s16 *layer, const int16_t *in, int16_t *out, void *scratch)
{
    (void)scratch;
    conv_2d(layer, in, out);
}
