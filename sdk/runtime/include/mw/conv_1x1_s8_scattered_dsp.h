// Convolution with a 1x1 filter and no padding, int8, for cores with the DSP extension: conv_1x1_s8_dsp by the weights that are not zero.
// Tiles, weights and k_pairs are those of gemm_scattered_dsp.h.

#ifndef MW_CONV_1X1_S8_SCATTERED_DSP_H
#define MW_CONV_1X1_S8_SCATTERED_DSP_H

#include "mw/conv_1x1_s8_dsp.h"
#include "mw/gemm_scattered_dsp.h"

struct mw_conv_1x1_s8_scattered_dsp {
    struct mw_conv_1x1_s8_dsp conv;
};

void mw_conv_1x1_s8_scattered_dsp(const struct mw_conv_1x1_s8_scattered_dsp *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
