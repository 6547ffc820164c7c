#include "mw/max_pool_2d_f32.h"

#include <float.h>

#include "mw/clamp_f32.h"

#define MW_LAYER struct mw_max_pool_2d_f32
#define MW_VALUE float
#define MW_TOTAL float
#define START -FLT_MAX

static inline float take(float total, float value)
{
    return total < value ? value : total;
}

static inline float output(const MW_LAYER *layer, float total, int32_t count)
{
    (void)count;
    return mw_clamp_f32(total, layer->act_min, layer->act_max);
}

#include "mw/pool_2d_loops.h"

void mw_max_pool_2d_f32(const struct mw_max_pool_2d_f32 *layer, const float *in, float *out)
{
    pool_2d(layer, in, out);
}
