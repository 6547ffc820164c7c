// Of two operands the one that a truth value says, of any type, with broadcasting.
//   out = condition != 0 ? in1 : in2
// condition  a byte each, strides in elements
// in1, in2   elements of item_bytes (1, 2, 4 or 8), strides in elements; a stride is 0 along a broadcast axis
// out        [extents[0]][extents[1]][extents[2]][extents[3]], dense; may be the same memory as an operand of equal size

#ifndef MW_SELECT_H
#define MW_SELECT_H

#include <stdint.h>

struct mw_select {
    int32_t extents[4];
    int32_t strides[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t item_bytes;
};

void mw_select(const struct mw_select *layer, const void *condition, const void *in1, const void *in2, void *out);

#endif
