// Resizing by linear interpolation between the four nearest pixels, int8.
//   y = oy * scale_h + offset_h, y0 = max(y / 1024, 0), y1 = min((y + 1023) / 1024, in_h - 1); x likewise
//   out[b][oy][ox][c] = the mean of in[b][y0 or y1][x0 or x1][c], weighted by 1024 less the distance in 1/1024 pixel,
//                       to nearest with ties away from zero
// in   int8 [batches][in_h][in_w][channels]; y0 < in_h and x0 < in_w for every output
// out  int8 [batches][out_h][out_w][channels]  may not overlap in

#ifndef MW_RESIZE_BILINEAR_S8_H
#define MW_RESIZE_BILINEAR_S8_H

#include <stdint.h>

struct mw_resize_bilinear_s8 {
    int32_t batches;
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t scale_h, scale_w;
    int32_t offset_h, offset_w;
};

void mw_resize_bilinear_s8(const struct mw_resize_bilinear_s8 *layer, const int8_t *in, int8_t *out);

#endif
