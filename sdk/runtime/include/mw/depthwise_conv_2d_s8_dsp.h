// 2D depthwise convolution of any filter, stride and dilation, int8, for cores with the DSP extension: the same bytes as
// depthwise_conv_2d_s8 with multiplier 1 and one batch. Four channels at a time.
//
// in        int8  [in_h][in_w][channels]
// out       int8  [out_h][out_w][channels]   may not overlap in
// weights   int8  [filter_h][filter_w][channels]
// scales    [channels], see gemm_dsp.h; the input's zero point is not folded into the bias
// scratch   16 bytes a channel

#ifndef MW_DEPTHWISE_CONV_2D_S8_DSP_H
#define MW_DEPTHWISE_CONV_2D_S8_DSP_H

#include <stdint.h>

struct mw_depthwise_conv_2d_s8_dsp {
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    const int8_t *weights;
    const uint8_t *scales;
    uint8_t channel_bytes;
    int8_t in_zp, out_zp;
    int8_t act_min, act_max;
};

void mw_depthwise_conv_2d_s8_dsp(const struct mw_depthwise_conv_2d_s8_dsp *layer, const int8_t *in, int8_t *out,
                                 void *scratch);

#endif
