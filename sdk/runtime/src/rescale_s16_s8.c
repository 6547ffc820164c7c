#include "mw/rescale_s16_s8.h"

#define MW_LAYER struct mw_rescale_s16_s8
#define MW_IN int16_t
#define MW_OUT int8_t

#include "mw/rescale_loops.h"

void mw_rescale_s16_s8(const struct mw_rescale_s16_s8 *layer, const int16_t *in, int8_t *out)
{
    rescale(layer, in, out);
}
