// Bias and scale of output channels, as flash holds them and as Helium kernels use them.
//
// Flash: a channel takes 7 or 8 bytes. With n channels, rounded up to a multiple of 4, there are
//   uint32 [n]  (exponent / 8) * 2^30 + mult - 2^30
//   uint16 [n]  low half of b
//   int8 or int16 [n]  what is above it,   b = bias * 8 + exponent % 8
// An output is clamp(requantize(bias + sum of products, mult, -exponent) + out_zp); the input's zero point is in the bias.

#ifndef MW_CHANNELS_MVE_H
#define MW_CHANNELS_MVE_H

#include <stdint.h>

// Four channels at a time: biases[4 * i] and scales[8 * i], which has four multipliers, then four shifts (-exponent).
// `channels` is aligned to 4 bytes, `biases` and `scales` to 4. Writes a multiple of four channels.
void mw_channels_mve(int32_t *biases, int32_t *scales, const void *channels, int32_t count, int32_t channel_bytes);

#endif
