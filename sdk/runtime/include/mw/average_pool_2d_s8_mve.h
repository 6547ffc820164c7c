// Average pooling, int8, for Helium.
//   out[b][oy][ox][c] = clamp(round(sum / count), act_min, act_max), parameters and bytes of average_pool_2d_s8
//
// in   int8 [batches][in_h][in_w][channels]
// out  int8 [batches][out_h][out_w][channels]  eight or 16 channels of a pixel are written when they have been read

#ifndef MW_AVERAGE_POOL_2D_S8_MVE_H
#define MW_AVERAGE_POOL_2D_S8_MVE_H

#include <stdint.h>

struct mw_average_pool_2d_s8_mve {
    int32_t batches;
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t filter_h, filter_w; // filter_h * filter_w <= 256
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t act_min, act_max;
};

void mw_average_pool_2d_s8_mve(const struct mw_average_pool_2d_s8_mve *layer, const int8_t *in, int8_t *out);

#endif
