// Fully connected, int16 with int8 weights; zero points are 0. Formula and shapes are those of mw/fully_connected_s8.h.
//   out = clamp(requantize(acc, mult, shift), act_min, act_max)
// wide 1: acc has 64 bits, |acc| < 2^47, and is rescaled by mw_requantize_wide(). 0: the caller makes sure that it fits in 32
// bits, and it is rescaled as in int8. The reference does so by the type of the biases.
//
// in       int16 [batches][in_len]
// out      int16 [batches][out_len]  may not overlap in
// weights  int8  [out_len][in_len]
// bias     int64 [out_len]  may be NULL
// mult     int32 [per_channel ? out_len : 1]
// shift    int8  [per_channel ? out_len : 1]  in [-31, 30]; at most 7 where wide
// scratch  not used

#ifndef MW_FULLY_CONNECTED_S16_H
#define MW_FULLY_CONNECTED_S16_H

#include <stdint.h>

struct mw_fully_connected_s16 {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t act_min, act_max;
    int32_t per_channel; // 0 or 1
    int32_t wide; // 0 or 1
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *mult;
    const int8_t *shift;
};

void mw_fully_connected_s16(const struct mw_fully_connected_s16 *layer, const int16_t *in, int16_t *out, void *scratch);

#endif
