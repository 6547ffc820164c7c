// Arithmetic of int32, with broadcasting; what leaves 32 bits wraps.
//   out = in1 + in2, in1 - in2, in1 * in2, the larger one, or the smaller one, for `operation` 0 to 4
// in1, in2  int32
// out       int32  [extents[0]][extents[1]][extents[2]][extents[3]], dense; operands lie as in mw/pairs.h; may be the same
//           memory as an operand that is not broadcast

#ifndef MW_ARITHMETIC_S32_H
#define MW_ARITHMETIC_S32_H

#include <stdint.h>

struct mw_arithmetic_s32 {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t operation;
};

void mw_arithmetic_s32(const struct mw_arithmetic_s32 *layer, const int32_t *in1, const int32_t *in2, int32_t *out);

#endif
