// Average pooling, int16; input and output have the same scale and zero point.
//   out[b][oy][ox][c] = clamp(round(sum / count), act_min, act_max)
// over the `count` taps of the window [oy*stride_h - pad_top + y][ox*stride_w - pad_left + x] that lie inside the image;
// rounded to nearest, ties away from zero. A window has at least one tap inside.
//
// in   int16 [batches][in_h][in_w][channels]
// out  int16 [batches][out_h][out_w][channels]  may overlap in where it starts so far below that no window reaches back to it

#ifndef MW_AVERAGE_POOL_2D_S16_H
#define MW_AVERAGE_POOL_2D_S16_H

#include <stdint.h>

struct mw_average_pool_2d_s16 {
    int32_t batches;
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t filter_h, filter_w; // filter_h * filter_w <= 2^15
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t act_min, act_max;
};

void mw_average_pool_2d_s16(const struct mw_average_pool_2d_s16 *layer, const int16_t *in, int16_t *out);

#endif
