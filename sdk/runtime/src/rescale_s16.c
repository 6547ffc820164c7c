#include "mw/rescale_s16.h"

#define MW_LAYER struct mw_rescale_s16
#define MW_IN int16_t
#define MW_OUT int16_t

#include "mw/rescale_loops.h"

void mw_rescale_s16(const struct mw_rescale_s16 *layer, const int16_t *in, int16_t *out)
{
    rescale(layer, in, out);
}
