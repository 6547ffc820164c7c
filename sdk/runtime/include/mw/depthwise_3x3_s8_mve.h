// Depthwise convolution with a 3x3 filter and stride 1 or 2, int8, for Helium: the same bytes as depthwise_conv_2d_s8 with a
// multiplier of 1 and no dilation.
//
// A channel is copied to a plane with its padding first, then computed: four outputs next to each other along one axis of
// the image, the lanes, at once; then the next ones along the other axis, the steps.
//
// in        int8  [in_h][in_w][channels]
// out       int8  [out_h][out_w][channels]  may be in, where it is not larger than in along both axes
// weights   int8  [channels][3 along the steps][3 along the lanes]
// packed    see channels_mve.h; every exponent is at least 1 where act_min < out_zp
// scratch   12 bytes a channel (up to a multiple of 4), then a plane: 64 bytes for each input along the steps, of
//           which (out_steps - 1) * stride + 3 are needed. With stride 1, a row has (out_lanes up to 62) + 2 inputs; with
//           stride 2, the even ones of (out_lanes up to 31) * 2 + 1, and at 32 the odd ones.

#ifndef MW_DEPTHWISE_3X3_S8_MVE_H
#define MW_DEPTHWISE_3X3_S8_MVE_H

#include <stdint.h>

struct mw_depthwise_3x3_s8_mve {
    int32_t channels;
    int32_t stride;
    int32_t in_lanes, in_steps;           // inputs to copy along either axis: those in a window
    int32_t in_lane_bytes, in_step_bytes; // from an input to the next one
    int32_t pad_lanes, pad_steps;
    int32_t out_lanes, out_steps;         // out_lanes >= 4
    int32_t out_lane_bytes, out_step_bytes;
    const int8_t *weights;
    const uint8_t *packed;
    uint8_t channel_bytes;
    int8_t in_zp, out_zp;
    int8_t act_min, act_max;
};

void mw_depthwise_3x3_s8_mve(const struct mw_depthwise_3x3_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
