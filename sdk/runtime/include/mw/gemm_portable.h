// Matrix product for convolutions on any core: int8 weights times columns of int8 inputs.
//   acc[c][p] = bias[c] + sum_k weights[c][k] * in[p][k]        the input's zero point is folded into the bias
//   out[p][c] = saturate8(requantize(acc[c][p], mult[c], -exponent[c]) + out_zp)
//
// Three 32-bit multiplications compute four pixels p0 to p3 of a channel. For each k a column holds three words,
//   p0 + 2^16 * p1,   p2 + 2^16 * p3,   p1 + 2^8 * p3,
// whose sums of products with the weights, modulo 2^32, determine four accumulators of 24 bits (see gemm_portable.c).
// The compiler proves for each layer
//   |acc[c]| < MW_CHANNEL_LIMIT for all inputs,   1 <= exponent <= 23.

#ifndef MW_GEMM_PORTABLE_H
#define MW_GEMM_PORTABLE_H

#include <stdint.h>

#include "mw/channel.h"

struct mw_gemm_portable {
    const int8_t *weights; // [channels][k]
    const struct mw_channel *first, *end;
    int32_t k;
    int32_t out_step; // bytes from one pixel of the output to the next
};

// A row of output pixels. Pixel p reads row_bytes bytes from each of rows[0..row_count-1] + p * step, in this order.
// `columns` is scratch of 3 * k words.
void mw_gemm_portable_row(const struct mw_gemm_portable *gemm, const int8_t *const *rows, int32_t row_count,
                          int32_t row_bytes, int32_t step, int32_t pixels, int8_t *out, uint32_t *columns);

#endif
