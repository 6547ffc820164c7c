// Fully connected, int8, for cores with the DSP extension: the same bytes as fully_connected_s8.
//
// Two channels share a 16-bit weight, as gemm_dsp.h describes:
//   |acc of the second channel| < 2^23,   not (weights[c1][k] = -128 and weights[c0][k] < 0)
// Where that acc may be larger, the sums of a pair are taken apart after every `chunk` groups, so that it is the second
// channel's sum over a chunk that is below 2^23. All acc are below 2^30; 1 <= exponent <= 23.
//
// in        int8  [batches][in_len]
// out       int8  [batches][out_len]      a batch is written when it has been read: may overlap in
// weights   [two pairs of channels, then one pair][groups], eight inputs a group: of two pairs, word by word in turn. The
//           order of the inputs is that of gemm_dsp.h for one row, filled up with weights of 0. An odd last channel is
//           paired with weights of 0
// channels  biases with the input's zero point folded in [out_len]; with mult 0 two words for each channel:
//             bias * 8 + (exponent & 7)
//             (exponent >> 3) * 2^30 + mult - 2^30
// scratch   groups * 16 bytes

#ifndef MW_FULLY_CONNECTED_S8_DSP_H
#define MW_FULLY_CONNECTED_S8_DSP_H

#include <stdint.h>

struct mw_fully_connected_s8_dsp {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t out_zp;
    int32_t act_min, act_max;
    int32_t groups; // of eight inputs, the last one filled up
    int32_t chunk;  // groups whose sums fit; 0: all, with the bias
    int32_t mult, exponent; // of all channels; 0, 0: each has its own
    const uint32_t *weights;
    const uint32_t *channels;
};

void mw_fully_connected_s8_dsp(const struct mw_fully_connected_s8_dsp *layer, const int8_t *in, int8_t *out,
                               void *scratch);

#endif
