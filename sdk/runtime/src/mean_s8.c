#include "mw/mean_s8.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_mean_s8
#define MW_VALUE int8_t
#define MW_SUM int32_t

static inline int8_t output(const MW_LAYER *layer, int32_t sum)
{
    const int32_t count = layer->reduce_size[0] * layer->reduce_size[1] * layer->reduce_size[2];
    return mw_requantize_s8(sum - layer->in_zp * count, layer->mult, layer->shift, layer->out_zp, INT8_MIN, INT8_MAX);
}

#include "mw/mean_loops.h"

void mw_mean_s8(const struct mw_mean_s8 *layer, const int8_t *in, int8_t *out)
{
    mean(layer, in, out);
}
