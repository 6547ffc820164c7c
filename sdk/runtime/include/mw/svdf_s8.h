// Filters over the last `memory` inputs, each the product of a feature filter and a time filter, int8 with int16 memory.
//   feature[f]  = clamp(requantize(sum over i of (in[i] - in_zp) * feature_weights[f][i])) to int16
//   state[f]    = state[f] without its oldest value, feature[f] behind the others
//   out[u]      = clamp(requantize(bias[u] + sum over f, m of time_weights[f][m] * state[f][m]) + out_zp)
// with the `rank` filters f from u * rank on. The sum of the time filters wraps as in two's complement.
// in       int8   [batches][in_len]
// state    int16  [batches][units * rank][memory]
// out      int8   [batches][units]  may not overlap in

#ifndef MW_SVDF_S8_H
#define MW_SVDF_S8_H

#include <stdint.h>

struct mw_svdf_s8 {
    int32_t batches, in_len, units, rank, memory;
    int32_t in_zp, out_zp;
    int32_t feature_mult, feature_shift;
    int32_t time_mult, time_shift;
    const int8_t *feature_weights; // [units * rank][in_len]
    const int16_t *time_weights;   // [units * rank][memory]
    const int32_t *bias;           // [units]
};

void mw_svdf_s8(const struct mw_svdf_s8 *layer, const int8_t *in, int16_t *state, int8_t *out);

#endif
