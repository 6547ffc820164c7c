// Convolution with a 1x1 filter and no padding, int8, for Helium: the same bytes as conv_2d_s8.
//
// in        int8  [in_h][in_w][in_ch]
// out       int8  [out_h][out_w][out_ch]   may overlap in as the compiler computes it: pixels are written when they and
//                                          what lies before them have been read
// product   see gemm_mve.h; k is the input channel
// scratch   see gemm_mve.h

#ifndef MW_CONV_1X1_S8_MVE_H
#define MW_CONV_1X1_S8_MVE_H

#include "mw/gemm_mve.h"

struct mw_conv_1x1_s8_mve {
    int32_t rows, row_pixels; // of the output; a single row where the stride is 1
    int32_t in_row_bytes;     // from an input row that is read to the next one that is
    int32_t in_ch;
    int32_t in_step;          // bytes from an input pixel that is read to the next
    struct mw_product_mve product;
};

void mw_conv_1x1_s8_mve(const struct mw_conv_1x1_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
