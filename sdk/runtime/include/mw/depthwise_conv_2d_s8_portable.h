// 2D depthwise convolution, int8, for any core: the same bytes as depthwise_conv_2d_s8.
//
// in        int8  [in_h][in_w][in_ch]
// out       int8  [out_h][out_w][in_ch * multiplier]   apart from in, or exactly at in, as the compiler says
// weights   int8  [in_ch * multiplier][filter_h][filter_w]
// channels  [in_ch * multiplier], see channel.h: |accumulator| < MW_CHANNEL_LIMIT, 1 <= exponent <= 23
// scratch   band_rows rows of stride_w * phase_words words, two words a tap
//
// Channel by channel, some rows of the image are spread out with their padding, a word a value: those columns first that
// are a multiple of stride_w, then the ones behind them, and so on, phase_words each. So four outputs that lie side by
// side read words that lie side by side. The compiler may have swapped height and width to fill groups of four better.

#ifndef MW_DEPTHWISE_CONV_2D_S8_PORTABLE_H
#define MW_DEPTHWISE_CONV_2D_S8_PORTABLE_H

#include <stdint.h>

struct mw_depthwise_conv_2d_s8_portable {
    int32_t in_h, in_w, in_ch;
    int32_t in_row, in_step;   // bytes from one row, one column of the input to the next
    int32_t out_row, out_step; // the same of the output
    int32_t out_h, out_w, multiplier;
    int16_t filter_h, filter_w;
    int16_t stride_h, stride_w;
    int16_t dilation_h, dilation_w;
    int16_t pad_top, pad_left;
    int32_t phase_words;
    int32_t band_rows;
    const int8_t *weights;
    const uint8_t *channels;
    uint8_t channel_bytes;
    int8_t in_zp, out_zp;
    int8_t act_min, act_max;
};

void mw_depthwise_conv_2d_s8_portable(const struct mw_depthwise_conv_2d_s8_portable *layer, const int8_t *in, int8_t *out,
                                      void *scratch);

#endif
