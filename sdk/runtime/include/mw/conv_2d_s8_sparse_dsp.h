// 2D convolution, int8, for cores with the DSP extension: conv_2d_s8_dsp without the blocks of weights that
// are zero. Tiles and weights are those of gemm_sparse_dsp.h.

#ifndef MW_CONV_2D_S8_SPARSE_DSP_H
#define MW_CONV_2D_S8_SPARSE_DSP_H

#include "mw/conv_2d_s8_dsp.h"
#include "mw/gemm_sparse_dsp.h"

struct mw_conv_2d_s8_sparse_dsp {
    struct mw_conv_2d_s8_dsp conv;
};

void mw_conv_2d_s8_sparse_dsp(const struct mw_conv_2d_s8_sparse_dsp *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
