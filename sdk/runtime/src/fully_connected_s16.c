#include "mw/fully_connected_s16.h"

#include "mw/mac_s16.h"
#include "mw/requantize.h"

#define MW_LAYER struct mw_fully_connected_s16
#define MW_VALUE int16_t
#define MW_WEIGHT int8_t
#define MW_SUM int64_t

static inline int64_t mac(const MW_LAYER *layer, int64_t sum, const int16_t *in, const int8_t *weights, int32_t count)
{
    (void)layer;
    return mw_mac_s16(sum, in, weights, count);
}

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
