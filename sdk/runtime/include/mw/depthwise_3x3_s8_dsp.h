// Depthwise 3x3 convolution, stride 1 or 2, int8, for cores with the DSP extension: the same bytes as depthwise_conv_2d_s8
// with multiplier 1.
//
// Four channels at a time, from a strip of four input rows: for each channel and column, padding included, two words of two
// vertical neighbours each. SMLAD multiplies such a pair by a pair of weights. A strip gives two output rows, or one with
// stride 2.
//
// in        int8  [in_h][in_w][channels]
// out       int8  [out_h][out_w][channels]   may be in, exactly in place, where it is not larger: out_h <= in_h,
//                                           out_w <= in_w; pad_top <= 2
// weights   int8  [3][3][channels]
// scales    [channels], see gemm_dsp.h; the bias has the input's zero point folded in
// scratch   parameters of four channels (40 bytes each), strips of four channels (8 bytes a column each)

#ifndef MW_DEPTHWISE_3X3_S8_DSP_H
#define MW_DEPTHWISE_3X3_S8_DSP_H

#include <stdint.h>

struct mw_depthwise_3x3_s8_dsp {
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t stride; // 1 or 2
    int32_t pad_top, pad_left;
    int32_t columns; // of a strip
    const int8_t *weights;
    const uint8_t *scales;
    uint8_t channel_bytes;
    int8_t in_zp, out_zp;
    int8_t act_min, act_max;
};

void mw_depthwise_3x3_s8_dsp(const struct mw_depthwise_3x3_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
