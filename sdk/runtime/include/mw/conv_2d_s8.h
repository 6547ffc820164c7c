// 2D convolution, int8, per-channel weights, grouped where group_in_ch < in_ch.
//   acc[o]          = bias[o] + sum over y, x, i of (in[b][oy*stride_h - pad_top + y*dilation_h]
//                                                     [ox*stride_w - pad_left + x*dilation_w][g*group_in_ch + i] - in_zp)
//                                                   * weights[o][y][x][i],   g = o / (out_ch / groups)
//   out[b][oy][ox][o] = clamp(requantize(acc[o], mult[o], shift[o]) + out_zp, act_min, act_max)
// Taps outside the image count as in_zp. The caller makes sure that acc fits in 32 bits for every input.
//
// in       int8  [batches][in_h][in_w][in_ch]
// out      int8  [batches][out_h][out_w][out_ch]      may not overlap in
// weights  int8  [out_ch][filter_h][filter_w][group_in_ch]  zero point 0
// bias     int32 [out_ch]  scale in_scale * weights_scale[o], zero point 0; may be NULL
// mult     int32 [out_ch]  0 or in [2^30, 2^31); with shift: in_scale * weights_scale[o] / out_scale
// shift    int8  [out_ch]  in [-31, 30]
// scratch  not used

#ifndef MW_CONV_2D_S8_H
#define MW_CONV_2D_S8_H

#include <stdint.h>

struct mw_conv_2d_s8 {
    int32_t batches;
    int32_t in_h, in_w, in_ch;
    int32_t out_h, out_w, out_ch;
    int32_t filter_h, filter_w;
    int32_t groups, group_in_ch; // in_ch = groups * group_in_ch; out_ch is a multiple of groups
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    int32_t in_zp, out_zp;
    int32_t act_min, act_max;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *mult;
    const int8_t *shift;
};

void mw_conv_2d_s8(const struct mw_conv_2d_s8 *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
