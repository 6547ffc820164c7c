#include "mw/fully_connected_s16.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_fully_connected_s16

#include "mw/products_s16.h"

static inline int16_t output(const MW_LAYER *layer, int64_t sum, int32_t channel)
{
    const int64_t acc = (layer->bias ? layer->bias[channel] : 0) + sum;
    const int32_t c = layer->per_channel ? channel : 0;
    return mw_requantize_s16(acc, layer->mult[c], layer->shift[c], layer->wide, layer->act_min,
                             layer->act_max);
}

#include "mw/fully_connected_loops.h"

void mw_fully_connected_s16(const struct mw_fully_connected_s16 *layer, const int16_t *in, int16_t *out, void *scratch)
{
    (void)scratch;
    fully_connected(layer, in, out);
}
