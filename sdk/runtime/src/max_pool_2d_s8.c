#include "mw/max_pool_2d_s8.h"

#define MW_LAYER struct mw_max_pool_2d_s8
#define MW_VALUE int8_t

#include "mw/max_pool_2d_integers.h"

void mw_max_pool_2d_s8(const struct mw_max_pool_2d_s8 *layer, const int8_t *in, int8_t *out)
{
    pool_2d(layer, in, out);
}
