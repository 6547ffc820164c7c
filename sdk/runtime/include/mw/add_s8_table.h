// Sum, int8, with broadcasting, from tables: the same bytes as add_s8.
//   out = clamp(saturate8((floor(scale1 * in1 / 2^8) + floor(scale2 * in2 / 2^8) + offset) >> 21), act_min, act_max)
// The compiler chooses scales and offset so that this is right for each pair of operands, and lies in 32 bits.
// in1, in2  int8  as in add_s8.h
// out       int8  dense; may be the same memory as an operand that is not broadcast, or start below it
// scratch   int32 [2][256], what each value of each operand adds

#ifndef MW_ADD_S8_TABLE_H
#define MW_ADD_S8_TABLE_H

#include <stdint.h>

struct mw_add_s8_table {
    int32_t extents[4];
    int32_t strides1[4];
    int32_t strides2[4];
    int32_t scale1, scale2; // 0 or more
    int32_t offset;
    int32_t act_min, act_max;
};

void mw_add_s8_table(const struct mw_add_s8_table *layer, const int8_t *in1, const int8_t *in2, int8_t *out,
                     void *scratch);

#endif
