#include "mw/conv_2d_s8.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_conv_2d_s8

#include "mw/products_s8.h"

static inline int8_t output(const MW_LAYER *layer, int32_t sum, int32_t channel)
{
    const int32_t acc = (layer->bias ? layer->bias[channel] : 0) + sum;
    return mw_requantize_s8(acc, layer->mult[channel], layer->shift[channel], layer->out_zp, layer->act_min,
                            layer->act_max);
}

#include "mw/conv_2d_loops.h"

void mw_conv_2d_s8(const struct mw_conv_2d_s8 *layer, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    conv_2d(layer, in, out);
}
