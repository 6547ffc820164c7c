// Convolution with a 1x1 filter and no padding, int8, for Helium: conv_1x1_s8_mve without the blocks of
// weights that are zero. Tiles, weights and scratch are those of gemm_sparse_mve.h.

#ifndef MW_CONV_1X1_S8_SPARSE_MVE_H
#define MW_CONV_1X1_S8_SPARSE_MVE_H

#include "mw/conv_1x1_s8_mve.h"
#include "mw/gemm_sparse_mve.h"

struct mw_conv_1x1_s8_sparse_mve {
    struct mw_conv_1x1_s8_mve conv;
};

void mw_conv_1x1_s8_sparse_mve(const struct mw_conv_1x1_s8_sparse_mve *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
