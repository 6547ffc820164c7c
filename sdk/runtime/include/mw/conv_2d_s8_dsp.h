// 2D convolution, int8, for cores with the DSP extension: the same bytes as conv_2d_s8.
//
// in        int8  [in_h][in_w][in_ch]
// out       int8  [out_h][out_w][out_ch]   may overlap in as the compiler computes it: an output row is written when
//                                          the input rows that it needs have been copied
// weights   [groups][pairs of output channels][k_pairs], see gemm_dsp.h; k runs over filter_h * runs_w runs of bytes
// channels  [channel_count], order [channel_count] or NULL, see gemm_dsp.h; where there are groups, an odd last channel of
//           one is there twice
// scratch   pairs of channels, a pointer a run, columns of 3 * k_pairs words, a ring of rows of row_bytes: as many as the
//           window is high

#ifndef MW_CONV_2D_S8_DSP_H
#define MW_CONV_2D_S8_DSP_H

#include "mw/gemm_dsp.h"

struct mw_conv_2d_s8_dsp {
    int32_t in_h, in_w, in_ch;
    int32_t out_h, out_w, out_ch;
    int32_t groups; // of channels, which in_ch and out_ch are multiples of
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    int32_t channel_count;
    int32_t k_pairs;
    int32_t runs_w;    // of bytes a row of taps: filter_w, or 1 where nothing lies between the taps
    int32_t row_bytes; // a row with its padding
    const struct mw_gemm_tiles_dsp *tiles;
    const uint32_t *weights;
    const uint8_t *channels;
    const uint16_t *order;
    uint8_t channel_bytes;
    int8_t in_zp, out_zp;
    int8_t act_min, act_max;
};

void mw_conv_2d_s8_dsp(const struct mw_conv_2d_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
