#include "mw/fully_connected_s8.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_fully_connected_s8
#define MW_VALUE int8_t
#define MW_WEIGHT int8_t
#define MW_SUM int32_t

static inline int32_t mac(const MW_LAYER *layer, int32_t sum, const int8_t *in, const int8_t *weights, int32_t count)
{
    const int32_t in_zp = layer->in_zp;
    for (int32_t i = 0; i < count; ++i) {
        sum += (in[i] - in_zp) * weights[i];
    }
    return sum;
}

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
