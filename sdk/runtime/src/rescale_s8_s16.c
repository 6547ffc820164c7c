#include "mw/rescale_s8_s16.h"

#define MW_LAYER struct mw_rescale_s8_s16
#define MW_IN int8_t
#define MW_OUT int16_t

#include "mw/rescale_loops.h"

void mw_rescale_s8_s16(const struct mw_rescale_s8_s16 *layer, const int8_t *in, int16_t *out)
{
    rescale(layer, in, out);
}
