#include "mw/max_pool_2d_s16.h"

#define MW_LAYER struct mw_max_pool_2d_s16
#define MW_VALUE int16_t

#include "mw/max_pool_2d_integers.h"

void mw_max_pool_2d_s16(const struct mw_max_pool_2d_s16 *layer, const int16_t *in, int16_t *out)
{
    pool_2d(layer, in, out);
}
