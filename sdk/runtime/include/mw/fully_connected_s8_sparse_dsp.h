// Fully connected, int8, for cores with the DSP extension, without the blocks of weights that are zero: four outputs by four
// inputs. The same bytes as fully_connected_s8.
//
// Two channels share a 16-bit weight, as gemm_dsp.h describes. The sums of a pair are taken apart after each run of blocks:
//   |sum of the second channel over a run| < 2^23, of the first run with its bias,
//   not (weights[c1][k] = -128 and weights[c0][k] < 0)
// All acc are below 2^30.
//
// in        int8  [batches][in_len]
// out       int8  [batches][out_len]     a batch is written when it has been read: may overlap in
// weights   four channels after the other, of each its runs, mostly one:
//             a word     256 * (bytes of the rounds + 4) + 60 * how many blocks less than four the first round has
//                        + 2^31 behind channels that have several runs, or behind a run of the same channels: + 2^31 + 2^30
//             rounds     of up to four blocks, all but the first of four: a word of a byte a block, then the blocks
//           A byte is 8 * how many blocks further than the one before, of four channels' first block: than the first one;
//           those of a shorter round are the high ones. A step beyond 31 takes blocks of zeros on the way. A block is four
//           words: of one pair of inputs those of both pairs of channels, then of the next pair. The order of the inputs
//           is that of gemm_dsp.h for one row. A word 0, or 2^31 in the same way, ends the fours, and then the last channels where
//           they are fewer.
// channels  of channel_words_dsp.h. The bias has the input's zero point folded in. Fours are filled up in both, with zeros
// scratch   blocks * 8 bytes

#ifndef MW_FULLY_CONNECTED_S8_SPARSE_DSP_H
#define MW_FULLY_CONNECTED_S8_SPARSE_DSP_H

#include <stdint.h>

struct mw_fully_connected_s8_sparse_dsp {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t blocks; // of four inputs, the last one filled up
    const uint32_t *weights;
    const uint32_t *channels;
    int8_t out_zp;
    int8_t act_min, act_max;
};

void mw_fully_connected_s8_sparse_dsp(const struct mw_fully_connected_s8_sparse_dsp *layer, const int8_t *in, int8_t *out,
                                      void *scratch);

#endif
