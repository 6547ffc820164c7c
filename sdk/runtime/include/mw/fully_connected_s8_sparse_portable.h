// Fully connected, int8, without the blocks of weights that are zero: four outputs by four inputs. The same bytes as
// fully_connected_s8. The compiler proves for each layer |acc| < MW_CHANNEL_LIMIT, 1 <= exponent <= 23.
//
// in        int8  [batches][in_len]       in_len is a multiple of 4
// out       int8  [batches][out_len]      may not overlap in
// weights   int8  [blocks][4 inputs][4 outputs]
// steps     uint8, four outputs after the other: a byte a block, how many blocks further than the one before, the first one
//           from -1; then a 0. A step beyond 255 takes blocks of zeros on the way
// channels  of two words: mult, bias * 256 + exponent - 1; filled up to four with zeros. The bias has the input's zero point
//           folded in

#ifndef MW_FULLY_CONNECTED_S8_SPARSE_PORTABLE_H
#define MW_FULLY_CONNECTED_S8_SPARSE_PORTABLE_H

#include <stdint.h>

struct mw_fully_connected_s8_sparse_portable {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t out_zp;
    int32_t act_min, act_max;
    const int8_t *weights;
    const uint8_t *steps;
    const uint32_t *channels;
};

void mw_fully_connected_s8_sparse_portable(const struct mw_fully_connected_s8_sparse_portable *layer, const int8_t *in,
                                           int8_t *out);

#endif
