// Convolution with a 1x1 filter and no padding, int8, for any core: the same bytes as conv_2d_s8.
//
// in        int8  [in_h][in_w][in_ch]
// out       int8  [out_h][out_w][out_ch]   may overlap in as the compiler computes it: four pixels are written when
//                                          they have been read
// weights   int8  [out_ch][in_ch]
// channels  [out_ch], see channel.h; preconditions in gemm_portable.h
// scratch   channels, columns of 3 * in_ch words

#ifndef MW_CONV_1X1_S8_PORTABLE_H
#define MW_CONV_1X1_S8_PORTABLE_H

#include "mw/gemm_portable.h"

struct mw_conv_1x1_s8_portable {
    int32_t rows, row_pixels; // of the output; a single row where the stride is 1
    int32_t in_row_bytes;     // from an input row that is read to the next one that is
    int32_t in_ch, out_ch;
    int32_t in_step; // bytes from an input pixel that is read to the next
    const int8_t *weights;
    const uint8_t *channels;
    uint8_t channel_bytes;
    int8_t out_zp;
    int8_t act_min, act_max;
};

void mw_conv_1x1_s8_portable(const struct mw_conv_1x1_s8_portable *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
