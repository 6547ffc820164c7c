// Largest value over axes, int8.
//   out[i][j][k] = (max over a, b, c of in[i * keep_stride[0] + ... + c * reduce_stride[2]] ^ flip) ^ flip
// in    int8; every index of the loops lies inside
// out   int8  [keep_size[0]][keep_size[1]][keep_size[2]]; may be the same memory as in
// flip  0, or -1 for the smallest value

#ifndef MW_REDUCE_MAX_S8_H
#define MW_REDUCE_MAX_S8_H

#include <stdint.h>

struct mw_reduce_max_s8 {
    int32_t keep_size[3], keep_stride[3];
    int32_t reduce_size[3], reduce_stride[3];
    int32_t flip;
};

void mw_reduce_max_s8(const struct mw_reduce_max_s8 *layer, const void *in, void *out);

#endif
