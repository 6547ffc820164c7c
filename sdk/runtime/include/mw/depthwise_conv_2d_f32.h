// Depthwise 2D convolution, float32. Shapes are those of mw/depthwise_conv_2d_s8.h; taps outside the image count as 0.
//   out = clamp(sum of products + bias, act_min, act_max)
// The sum starts from 0 and adds products one by one, each rounded, by row, column and channel: another order, or products
// that are not rounded, give other last bits.
//
// in       float [batches][in_h][in_w][in_ch]
// out      float [batches][out_h][out_w][in_ch * multiplier]  may not overlap in
// weights  float [filter_h][filter_w][in_ch * multiplier]
// bias     float [in_ch * multiplier]  may be NULL
// scratch  not used

#ifndef MW_DEPTHWISE_CONV_2D_F32_H
#define MW_DEPTHWISE_CONV_2D_F32_H

#include <stdint.h>

struct mw_depthwise_conv_2d_f32 {
    int32_t batches;
    int32_t in_h, in_w, in_ch;
    int32_t out_h, out_w, multiplier;
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    float act_min, act_max;
    const float *weights;
    const float *bias;
};

void mw_depthwise_conv_2d_f32(const struct mw_depthwise_conv_2d_f32 *layer, const float *in, float *out, void *scratch);

#endif
