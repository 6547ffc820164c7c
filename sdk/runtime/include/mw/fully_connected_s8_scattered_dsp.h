// Fully connected, int8, for cores with the DSP extension, of weights that are mostly zero, wherever they are: only the
// others are multiplied. The same bytes as fully_connected_s8. All acc are below 2^30.
//
// in        int8  [batches][in_len]
// out       int8  [batches][out_len]
// weights   channel after channel:
//             a word     256 * bytes of the channel's weights + 32 * how many pairs of weights less than four the first round has
//             weights    in rounds of eight, but the first one, two bytes each: the weight, and how many inputs further it is
//                        than the one before, of the first one: than input 0. A step beyond 255 takes weights of 0 on the way,
//                        and so does what fills up the last two
// channels  [out_len] of channel_words_dsp.h. The bias has the input's zero point folded in

#ifndef MW_FULLY_CONNECTED_S8_SCATTERED_DSP_H
#define MW_FULLY_CONNECTED_S8_SCATTERED_DSP_H

#include <stdint.h>

struct mw_fully_connected_s8_scattered_dsp {
    int32_t batches;
    int32_t in_len, out_len;
    const uint32_t *weights;
    const uint32_t *channels;
    int8_t out_zp;
    int8_t act_min, act_max;
};

void mw_fully_connected_s8_scattered_dsp(const struct mw_fully_connected_s8_scattered_dsp *layer, const int8_t *in,
                                         int8_t *out);

#endif
