// Average pooling, float32.
//   out[b][oy][ox][c] = clamp(sum / count, act_min, act_max)
// over the `count` taps of the window [oy*stride_h - pad_top + y][ox*stride_w - pad_left + x] that lie inside the image;
// summed by row and column, from 0. A window has at least one tap inside.
//
// in   float [batches][in_h][in_w][channels]
// out  float [batches][out_h][out_w][channels]  may overlap in where it starts so far below that no window reaches back to it

#ifndef MW_AVERAGE_POOL_2D_F32_H
#define MW_AVERAGE_POOL_2D_F32_H

#include <stdint.h>

struct mw_average_pool_2d_f32 {
    int32_t batches;
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    float act_min, act_max;
};

void mw_average_pool_2d_f32(const struct mw_average_pool_2d_f32 *layer, const float *in, float *out);

#endif
