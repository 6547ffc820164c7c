#include "mw/conv_1x1_s8_sparse_dsp.h"

void mw_conv_1x1_s8_sparse_dsp(const struct mw_conv_1x1_s8_sparse_dsp *layer, const int8_t *in, int8_t *out, void *scratch)
{
    mw_conv_1x1_s8_dsp(&layer->conv, in, out, scratch);
}
