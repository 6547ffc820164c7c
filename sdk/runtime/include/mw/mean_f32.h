// Mean over any axes, float32.
//   out[k] = (sum over r of in[k][r]) / count
// k runs over the axes that are kept, r over those that are reduced, both in the order of the tensor. `keep_*` and
// `reduce_*` are up to three merged axes each, size 1 where there are fewer; stride in elements of `in`.
//
// in     float, any shape of the keep and reduce sizes
// out    float [keep_size[0]][keep_size[1]][keep_size[2]]  may be the same memory as in, or start below it
// count  1 for a sum, the product of the reduce sizes for a mean
// The sum starts from 0 and adds values one by one, in order: another order gives other last bits.

#ifndef MW_MEAN_F32_H
#define MW_MEAN_F32_H

#include <stdint.h>

struct mw_mean_f32 {
    int32_t keep_size[3], keep_stride[3];
    int32_t reduce_size[3], reduce_stride[3];
    float count;
};

void mw_mean_f32(const struct mw_mean_f32 *layer, const float *in, float *out);

#endif
