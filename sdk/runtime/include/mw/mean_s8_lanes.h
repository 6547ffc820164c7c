// Mean, int8, of neighbouring channels, four at a time: parameters, formula and bytes are those of mean_s8, with
// keep_stride[2] = 1.
//
// in    int8, any shape of the keep and reduce sizes
// out   int8 [keep_size[0]][keep_size[1]][keep_size[2]]  four values are written when they have been read; may be the same
//       memory as in

#ifndef MW_MEAN_S8_LANES_H
#define MW_MEAN_S8_LANES_H

#include <stdint.h>

struct mw_mean_s8_lanes {
    int32_t keep_size[3], keep_stride[3];
    int32_t reduce_size[3], reduce_stride[3];
    int32_t in_zp, out_zp;
    int32_t mult, shift;
};

void mw_mean_s8_lanes(const struct mw_mean_s8_lanes *layer, const int8_t *in, int8_t *out);

#endif
