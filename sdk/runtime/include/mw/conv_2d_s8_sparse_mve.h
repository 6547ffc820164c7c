// 2D convolution, int8, for Helium: conv_2d_s8_mve without the blocks of
// weights that are zero. Tiles, weights and scratch are those of gemm_sparse_mve.h.

#ifndef MW_CONV_2D_S8_SPARSE_MVE_H
#define MW_CONV_2D_S8_SPARSE_MVE_H

#include "mw/conv_2d_s8_mve.h"
#include "mw/gemm_sparse_mve.h"

struct mw_conv_2d_s8_sparse_mve {
    struct mw_conv_2d_s8_mve conv;
};

void mw_conv_2d_s8_sparse_mve(const struct mw_conv_2d_s8_sparse_mve *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
