#include "mw/conv_2d_f32.h"

#define MW_LAYER struct mw_conv_2d_f32

#include "mw/products_f32.h"
#include "mw/conv_2d_loops.h"

void mw_conv_2d_f32(const struct mw_conv_2d_f32 *layer, const float *in, float *out, void *scratch)
{
    (void)scratch;
    conv_2d(layer, in, out);
}
