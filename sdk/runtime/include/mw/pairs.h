// Loops over pairs of elements, with broadcasting: what the kernels of two operands share. The elements are int8 unless
// MW_VALUE is defined, before this is included, as their type and MW_OPERAND as one that computes with them.

#ifndef MW_PAIRS_H
#define MW_PAIRS_H

#include <stdint.h>

#ifndef MW_VALUE
#define MW_VALUE int8_t
#define MW_OPERAND int32_t
#endif

// The output of a pair; `layer` is the kernel's parameters.
typedef MW_VALUE mw_pair_function(const void *layer, MW_OPERAND a, MW_OPERAND b);

// out, dense, gets function(a, b) for each index (i, j, k, l) below `extents`. An operand's element lies at
// i * strides[0] + ... + l * strides[3]; a stride is 0 along a broadcast axis. out may be the same memory as an operand that
// is not broadcast.
static inline void mw_for_pairs(const int32_t extents[4], const int32_t strides1[4], const int32_t strides2[4],
                                const MW_VALUE *in1, const MW_VALUE *in2, MW_VALUE *out, mw_pair_function *function,
                                const void *layer)
{
    for (int32_t i = 0; i < extents[0]; ++i) {
        for (int32_t j = 0; j < extents[1]; ++j) {
            for (int32_t k = 0; k < extents[2]; ++k) {
                const MW_VALUE *p1 = in1 + i * strides1[0] + j * strides1[1] + k * strides1[2];
                const MW_VALUE *p2 = in2 + i * strides2[0] + j * strides2[1] + k * strides2[2];
                for (int32_t l = 0; l < extents[3]; ++l, p1 += strides1[3], p2 += strides2[3]) {
                    *out++ = function(layer, *p1, *p2);
                }
            }
        }
    }
}

#endif
