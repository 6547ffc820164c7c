#include "mw/fully_connected_s8.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_fully_connected_s8

#include "mw/products_s8.h"

static inline int8_t output(const MW_LAYER *layer, int32_t sum, int32_t channel)
{
    const int32_t acc = (layer->bias ? layer->bias[channel] : 0) + sum;
    const int32_t c = layer->per_channel ? channel : 0;
    return mw_requantize_s8(acc, layer->mult[c], layer->shift[c], layer->out_zp, layer->act_min,
                            layer->act_max);
}

#include "mw/fully_connected_loops.h"

void mw_fully_connected_s8(const struct mw_fully_connected_s8 *layer, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    fully_connected(layer, in, out);
}
