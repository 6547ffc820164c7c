#include "mw/average_pool_2d_f32.h"

#include "mw/clamp_f32.h"

#define MW_LAYER struct mw_average_pool_2d_f32
#define MW_VALUE float
#define MW_TOTAL float
#define START 0

static inline float take(float total, float value)
{
    return total + value;
}

static inline float output(const MW_LAYER *layer, float total, int32_t count)
{
    return mw_clamp_f32(total / (float)count, layer->act_min, layer->act_max);
}

#include "mw/pool_2d_loops.h"

void mw_average_pool_2d_f32(const struct mw_average_pool_2d_f32 *layer, const float *in, float *out)
{
    pool_2d(layer, in, out);
}
