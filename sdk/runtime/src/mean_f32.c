#include "mw/mean_f32.h"

#define MW_LAYER struct mw_mean_f32
#define MW_VALUE float
#define MW_SUM float

static inline float output(const MW_LAYER *layer, float sum)
{
    return sum / layer->count;
}

#include "mw/mean_loops.h"

void mw_mean_f32(const struct mw_mean_f32 *layer, const float *in, float *out)
{
    mean(layer, in, out);
}
