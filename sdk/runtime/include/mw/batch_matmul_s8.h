// Products of matrices that the model computes, int8.
//   acc = sum over k of (in1[b][i][k] - in1_zp) * (in2[b][k][j] - in2_zp)
//   out[b][i][j] = clamp(requantize(acc, mult, shift) + out_zp, -128, 127)
// b runs over `batches`, three nested loops. An operand's matrix lies at the sum of its batch strides times their indices,
// 0 along a broadcast one; its elements at row_step and depth_step, or depth_step and column_step, from each other.
// in1, in2  int8  zero points -128..127; acc fits in 32 bits for every input
// out       int8  [batches[0]][batches[1]][batches[2]][rows][columns]  may not overlap in1 or in2

#ifndef MW_BATCH_MATMUL_S8_H
#define MW_BATCH_MATMUL_S8_H

#include <stdint.h>

struct mw_batch_matmul_s8 {
    int32_t batches[3];
    int32_t strides1[3];
    int32_t strides2[3];
    int32_t rows, columns, depth;
    int32_t row_step, depth_step1;
    int32_t column_step, depth_step2;
    int32_t in1_zp, in2_zp, out_zp;
    int32_t mult, shift;
};

void mw_batch_matmul_s8(const struct mw_batch_matmul_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out);

#endif
