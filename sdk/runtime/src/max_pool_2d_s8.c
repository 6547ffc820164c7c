#include "mw/max_pool_2d_s8.h"

#include "mw/requantize.h"

#define MW_LAYER struct mw_max_pool_2d_s8
#define MW_VALUE int8_t
#define MW_TOTAL int32_t
#define START INT8_MIN

static inline int32_t take(int32_t total, int8_t value)
{
    return total < value ? value : total;
}

static inline int8_t output(const MW_LAYER *layer, int32_t total, int32_t count)
{
    (void)count;
    return (int8_t)mw_clamp(total, layer->act_min, layer->act_max);
}

#include "mw/pool_2d_loops.h"

void mw_max_pool_2d_s8(const struct mw_max_pool_2d_s8 *layer, const int8_t *in, int8_t *out)
{
    pool_2d(layer, in, out);
}
