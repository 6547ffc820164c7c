// 2D depthwise convolution, int8, for Helium: the same bytes as depthwise_conv_2d_s8.
//
// A channel is copied to a plane with its padding first, then computed: twelve outputs next to each other along one axis of
// the image, the lanes, at once; then those of the next step along the other axis.
//
// in        int8  [batches][in_h][in_w][in_ch]
// out       int8  [batches][out_h][out_w][in_ch * multiplier]  may be in, where it is not larger than in along both axes,
//                                                              the multiplier is 1 and there is one batch
// weights   int8  [in_ch * multiplier][taps along the steps][taps along the lanes]
// packed    see channels_mve.h; every exponent is at least 1 where act_min < out_zp
// scratch   12 bytes an output channel (up to a multiple of 4), then plane_bytes: rows of pitch bytes along the lanes, and
//           behind them what lanes up to a multiple of 12 reach

#ifndef MW_DEPTHWISE_CONV_2D_S8_MVE_H
#define MW_DEPTHWISE_CONV_2D_S8_MVE_H

#include <stdint.h>

struct mw_depthwise_conv_2d_s8_mve {
    int32_t batches, in_bytes, out_bytes; // of a batch
    int32_t in_ch, multiplier;
    int32_t in_lanes, in_steps;           // inputs to copy along either axis: those in a window
    int32_t in_lane_bytes, in_step_bytes; // from an input to the next one
    int32_t pad_lanes, pad_steps;
    int32_t out_lanes, out_steps;
    int32_t out_lane_bytes, out_step_bytes;
    int32_t taps_lanes, taps_steps;
    int32_t stride_lanes, stride_steps;
    int32_t dilation_lanes, dilation_steps;
    int32_t pitch, plane_bytes;
    int32_t in_zp, out_zp;
    int32_t act_min, act_max;
    int32_t channel_bytes;
    const int8_t *weights;
    const uint8_t *packed;
};

void mw_depthwise_conv_2d_s8_mve(const struct mw_depthwise_conv_2d_s8_mve *layer, const int8_t *in, int8_t *out,
                                 void *scratch);

#endif
