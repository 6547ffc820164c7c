// Fully connected, int8, eight channels at a time: the same bytes as fully_connected_s8.
//   acc[o]    = bias[o] + sum over i of in[b][i] * weights[o][i]
//   out[b][o] = clamp(requantize(acc[o], mult[o], -exponent[o]) + out_zp, act_min, act_max)
// The compiler proves for each layer |acc| < 2^30, 1 <= exponent <= 23.
//
// in        int8  [batches][in_len]
// out       int8  [batches][out_len]      may not overlap in
// weights   uint8 [out_len / 8][in_len][8], then what is left over of the channels [out_len % 8][in_len]; 128 more than the
//           weight, because small cores load bytes without a sign faster
// channels  as in fully_connected_s8_dsp.h

#ifndef MW_FULLY_CONNECTED_S8_PORTABLE_H
#define MW_FULLY_CONNECTED_S8_PORTABLE_H

#include <stdint.h>

struct mw_fully_connected_s8_portable {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t out_zp;
    int32_t act_min, act_max;
    int32_t mult, exponent; // of all channels; 0, 0: each has its own
    const uint8_t *weights;
    const uint32_t *channels;
};

void mw_fully_connected_s8_portable(const struct mw_fully_connected_s8_portable *layer, const int8_t *in, int8_t *out);

#endif
