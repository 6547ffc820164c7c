// 2D convolution, int16 with int8 weights; zero points are 0. Formula and shapes are those of mw/conv_2d_s8.h.
//   out = clamp(requantize(acc, mult, shift), act_min, act_max)
// wide 1: acc has 64 bits, |acc| < 2^47, and is rescaled by mw_requantize_wide(). 0: the caller makes sure that it fits in 32
// bits, and it is rescaled as in int8. The reference does so by the type of the biases.
//
// in       int16 [batches][in_h][in_w][in_ch]
// out      int16 [batches][out_h][out_w][out_ch]  may not overlap in
// weights  int8  [out_ch][filter_h][filter_w][group_in_ch]
// bias     int64 [out_ch]  may be NULL
// mult     int32 [out_ch]
// shift    int8  [out_ch]  in [-31, 30]; at most 7 where wide
// scratch  not used

#ifndef MW_CONV_2D_S16_H
#define MW_CONV_2D_S16_H

#include <stdint.h>

struct mw_conv_2d_s16 {
    int32_t batches;
    int32_t in_h, in_w, in_ch;
    int32_t out_h, out_w, out_ch;
    int32_t filter_h, filter_w;
    int32_t groups, group_in_ch; // in_ch = groups * group_in_ch; out_ch is a multiple of groups
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    int32_t act_min, act_max;
    int32_t wide; // 0 or 1
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *mult;
    const int8_t *shift;
};

void mw_conv_2d_s16(const struct mw_conv_2d_s16 *layer, const int16_t *in, int16_t *out, void *scratch);

#endif
