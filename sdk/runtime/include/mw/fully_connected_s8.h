// Fully connected, int8, weights per tensor or per channel.
//   acc[o]    = bias[o] + sum over i of (in[b][i] - in_zp) * weights[o][i]
//   out[b][o] = clamp(requantize(acc[o], mult[c], shift[c]) + out_zp, act_min, act_max),  c = per_channel ? o : 0
// The caller makes sure that acc fits in 32 bits for every input.
//
// in       int8  [batches][in_len]
// out      int8  [batches][out_len]             may not overlap in
// weights  int8  [out_len][in_len]              zero point 0
// bias     int32 [out_len]                      scale in_scale * weights_scale[c], zero point 0; may be NULL
// mult     int32 [per_channel ? out_len : 1]    0 or in [2^30, 2^31); with shift: in_scale * weights_scale[c] / out_scale
// shift    int8  [per_channel ? out_len : 1]    in [-31, 30]
// scratch  not used

#ifndef MW_FULLY_CONNECTED_S8_H
#define MW_FULLY_CONNECTED_S8_H

#include <stdint.h>

struct mw_fully_connected_s8 {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t in_zp, out_zp;
    int32_t act_min, act_max;
    int32_t per_channel; // 0 or 1
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *mult;
    const int8_t *shift;
};

void mw_fully_connected_s8(const struct mw_fully_connected_s8 *layer, const int8_t *in, int8_t *out, void *scratch);

#endif
