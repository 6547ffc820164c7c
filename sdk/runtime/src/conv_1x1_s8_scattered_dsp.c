#include "mw/conv_1x1_s8_scattered_dsp.h"

void mw_conv_1x1_s8_scattered_dsp(const struct mw_conv_1x1_s8_scattered_dsp *layer, const int8_t *in, int8_t *out, void *scratch)
{
    mw_conv_1x1_s8_dsp(&layer->conv, in, out, scratch);
}
