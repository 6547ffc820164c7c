// Slices by computed indices, of any type.
//   out[b][o][i] = in[b][o][place(b, i)], slices of run_bytes; place is in bytes, the sum over the `depth` indices of
// indices[b][i] of index * strides[k], and a slice is 0 where one of them is not 0 to extents[k] - 1
// in       [batches][outer] blocks of outer_bytes
// indices  int32  [batches][count][depth], 1 <= depth <= 5
// out      [batches][outer][count] slices; may not overlap in or indices

#ifndef MW_GATHER_H
#define MW_GATHER_H

#include <stdint.h>

struct mw_gather {
    int32_t batches, outer, count, depth;
    int32_t extents[5];
    int32_t strides[5];
    int32_t outer_bytes, run_bytes;
};

void mw_gather(const struct mw_gather *layer, const void *in, const int32_t *indices, void *out);

#endif
