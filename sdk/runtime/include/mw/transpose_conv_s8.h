// Transposed 2D convolution, int8, per-channel weights.
//   acc[o] = bias[o] + sum over y, x, i of (in[b][(oy + pad_top - y) / stride_h][(ox + pad_left - x) / stride_w][i] - in_zp)
//                                         * weights[o][y][x][i]
// over the taps whose quotients have no remainder and lie inside the image
//   out[b][oy][ox][o] = clamp(requantize(acc[o], mult[o], shift[o]) + out_zp, act_min, act_max)
// The caller makes sure that acc fits in 32 bits for every input.
//
// in       int8  [batches][in_h][in_w][in_ch]
// out      int8  [batches][out_h][out_w][out_ch]      may not overlap in
// weights  int8  [out_ch][filter_h][filter_w][in_ch]  zero point 0
// bias, mult, shift  as in mw/conv_2d_s8.h

#ifndef MW_TRANSPOSE_CONV_S8_H
#define MW_TRANSPOSE_CONV_S8_H

#include <stdint.h>

struct mw_transpose_conv_s8 {
    int32_t batches;
    int32_t in_h, in_w, in_ch;
    int32_t out_h, out_w, out_ch;
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t in_zp, out_zp;
    int32_t act_min, act_max;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *mult;
    const int8_t *shift;
};

void mw_transpose_conv_s8(const struct mw_transpose_conv_s8 *layer, const int8_t *in, int8_t *out);

#endif
