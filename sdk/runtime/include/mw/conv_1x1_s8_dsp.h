// Convolution with a 1x1 filter and no padding, int8, for cores with the DSP extension: the same bytes as conv_2d_s8.
//
// in        int8  [in_h][in_w][in_ch]
// out       int8  [out_h][out_w][out_ch]   may overlap in as the compiler computes it: three pixels are written when
//                                          they have been read
// weights, channels, order  see gemm_dsp.h; k is the input channel
// scratch   pairs of channels, columns of 3 * k_pairs words

#ifndef MW_CONV_1X1_S8_DSP_H
#define MW_CONV_1X1_S8_DSP_H

#include "mw/gemm_dsp.h"

struct mw_conv_1x1_s8_dsp {
    int32_t rows, row_pixels;      // of the output; a single row where the stride is 1
    int32_t in_row_bytes;          // from an input row that is read to the next one that is
    int32_t in_ch, out_ch;
    int32_t in_step;               // bytes from an input pixel that is read to the next
    int32_t k_pairs;
    const struct mw_gemm_tiles_dsp *tiles;
    const uint32_t *weights;
    const uint8_t *channels;
    const uint16_t *order;
    uint8_t channel_bytes;
    int8_t out_zp;
    int8_t act_min, act_max;
};

void mw_conv_1x1_s8_dsp(const struct mw_conv_1x1_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
