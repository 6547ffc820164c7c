// Mean over any axes, int16; zero points are 0.
//   out[k] = clamp(requantize(sum over r of in[k][r], mult, shift), -32768, 32767)
// k runs over the axes that are kept, r over those that are reduced, both in the order of the tensor. `keep_*` and
// `reduce_*` are up to three merged axes each, size 1 where there are fewer; stride in elements of `in`.
//
// in    int16, any shape of the keep and reduce sizes
// out   int16 [keep_size[0]][keep_size[1]][keep_size[2]]  may be the same memory as in, or start below it
// mult  in [0, 2^31); with shift in [-31, 30]: in_scale / (out_scale * product of the reduce sizes)
// The product of the reduce sizes is at most 2^15.

#ifndef MW_MEAN_S16_H
#define MW_MEAN_S16_H

#include <stdint.h>

struct mw_mean_s16 {
    int32_t keep_size[3], keep_stride[3];
    int32_t reduce_size[3], reduce_stride[3];
    int32_t mult, shift;
};

void mw_mean_s16(const struct mw_mean_s16 *layer, const int16_t *in, int16_t *out);

#endif
