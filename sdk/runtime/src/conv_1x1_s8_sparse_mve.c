#include "mw/conv_1x1_s8_sparse_mve.h"

void mw_conv_1x1_s8_sparse_mve(const struct mw_conv_1x1_s8_sparse_mve *layer, const int8_t *in, int8_t *out, void *scratch)
{
    mw_conv_1x1_s8_mve(&layer->conv, in, out, scratch);
}
