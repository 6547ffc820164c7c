#include "mw/pad_s16.h"

#define MW_LAYER struct mw_pad_s16
#define MW_VALUE int16_t

#include "mw/pad_loops.h"

void mw_pad_s16(const struct mw_pad_s16 *layer, const int16_t *in, int16_t *out)
{
    pad(layer, in, out);
}
