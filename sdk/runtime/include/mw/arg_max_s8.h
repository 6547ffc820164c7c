// Index of the largest value along an axis, int8; of several, the first.
//   out[o][i] = the a with the largest in[o][a][i] ^ flip
// in    int8   [outer][size][inner]
// out   int32  [outer][inner]  may not overlap in
// flip  0, or -1 for the smallest value

#ifndef MW_ARG_MAX_S8_H
#define MW_ARG_MAX_S8_H

#include <stdint.h>

struct mw_arg_max_s8 {
    int32_t outer, size, inner;
    int32_t flip;
};

void mw_arg_max_s8(const struct mw_arg_max_s8 *layer, const int8_t *in, int32_t *out);

#endif
