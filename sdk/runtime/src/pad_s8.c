#include "mw/pad_s8.h"

#define MW_LAYER struct mw_pad_s8
#define MW_VALUE int8_t

#include "mw/pad_loops.h"

void mw_pad_s8(const struct mw_pad_s8 *layer, const int8_t *in, int8_t *out)
{
    pad(layer, in, out);
}
