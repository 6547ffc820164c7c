#include "mw/pad_f32.h"

#define MW_LAYER struct mw_pad_f32
#define MW_VALUE float

#include "mw/pad_loops.h"

void mw_pad_f32(const struct mw_pad_f32 *layer, const float *in, float *out)
{
    pad(layer, in, out);
}
