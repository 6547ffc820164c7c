// 2D convolution, int8, for Helium: the same bytes as conv_2d_s8 without groups or dilation.
//
// in        int8  [in_h][in_w][in_ch]
// out       int8  [out_h][out_w][out_ch]   may overlap in as the compiler computes it: an output row is written when
//                                          the input rows that it needs have been copied
// product   see gemm_mve.h; k runs over filter_h rows of filter_w * in_ch bytes
// scratch   see gemm_mve.h; then filter_h rows of row_bytes, a multiple of 4, 16 bytes, filter_h pointers

#ifndef MW_CONV_2D_S8_MVE_H
#define MW_CONV_2D_S8_MVE_H

#include "mw/gemm_mve.h"

struct mw_conv_2d_s8_mve {
    int32_t in_h, in_w, in_ch;
    int32_t out_h, out_w;
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t in_zp;
    int32_t row_bytes; // a row with its padding
    struct mw_product_mve product;
};

void mw_conv_2d_s8_mve(const struct mw_conv_2d_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
