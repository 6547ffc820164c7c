#include "mw/max_pool_2d_s16.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_max_pool_2d_s16
#define MW_VALUE int16_t
#define MW_TOTAL int32_t
#define START INT16_MIN

static inline int32_t take(int32_t total, int16_t value)
{
    return total < value ? value : total;
}

static inline int16_t output(const MW_LAYER *layer, int32_t total, int32_t count)
{
    (void)count;
    return (int16_t)mw_clamp(total, layer->act_min, layer->act_max);
}

#include "mw/pool_2d_loops.h"

void mw_max_pool_2d_s16(const struct mw_max_pool_2d_s16 *layer, const int16_t *in, int16_t *out)
{
    pool_2d(layer, in, out);
}
