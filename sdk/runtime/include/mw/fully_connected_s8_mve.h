// Fully connected, int8, for Helium: the same bytes as fully_connected_s8.
//   acc[o]    = bias[o] + sum over i of in[b][i] * weights[o][i]
//   out[b][o] = clamp(requantize(acc[o], mult, shift) + out_zp, act_min, act_max)
// The compiler proves that no acc leaves 32 bits, and that every shift is below 0 where act_min < out_zp, else at most 0.
//
// in        int8   [batches][in_len]
// out       int8   [batches][out_len]   may overlap in as the compiler computes it
// weights   int8   [out_len][in_len]; where in_len is not a multiple of 16, 16 bytes follow
// bias      int32  [out_len] up to a multiple of 4; the input's zero point is in it. NULL: channels has it
// channels  the channels' biases and scales, see channels_mve.h; NULL: all have mult and shift
// scratch   12 bytes a channel (up to a multiple of 4) where there are channels; then in_len up to a multiple of 16 where
//           it is none

#ifndef MW_FULLY_CONNECTED_S8_MVE_H
#define MW_FULLY_CONNECTED_S8_MVE_H

#include <stdint.h>

struct mw_fully_connected_s8_mve {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t mult, shift;
    const int8_t *weights;
    const int32_t *bias;
    const uint8_t *channels;
    uint8_t channel_bytes;
    int8_t out_zp;
    int8_t act_min, act_max;
};

void mw_fully_connected_s8_mve(const struct mw_fully_connected_s8_mve *layer, const int8_t *in, int8_t *out,
                               void *scratch);

#endif
