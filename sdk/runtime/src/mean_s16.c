#include "mw/mean_s16.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_mean_s16
#define MW_VALUE int16_t
#define MW_SUM int32_t

static inline int16_t output(const MW_LAYER *layer, int32_t sum)
{
    return (int16_t)mw_clamp(mw_requantize(sum, layer->mult, layer->shift), INT16_MIN, INT16_MAX);
}

#include "mw/mean_loops.h"

void mw_mean_s16(const struct mw_mean_s16 *layer, const int16_t *in, int16_t *out)
{
    mean(layer, in, out);
}
