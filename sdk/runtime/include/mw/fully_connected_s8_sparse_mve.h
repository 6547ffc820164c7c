// Fully connected, int8, for Helium, without the blocks of weights that are zero: four outputs by 16 inputs. The same bytes
// as fully_connected_s8.
//
// Four outputs at a time, of which there is at least one block each; outputs and inputs are filled up to whole blocks.
//
// in        int8   [batches][in_len]
// out       int8   [batches][out_len]   may overlap in as the compiler computes it
// weights   int8   [blocks][4][16]
// steps     words: of each four outputs
//             rounds << 16 | 40 * how many blocks less than four the first round has
//             rounds words of a byte a block: bytes of inputs from the block before to this one, 16 to 240; from 16 bytes
//             before the input to the first one. Those of the first round are the high ones
//           A word behind it all is read.
// outputs   words of each four outputs: int32 biases with the input's zero point in them; where per_channel, int32
//           multipliers and int8 shifts, else all outputs have mult and shift
// scratch   in_len up to a multiple of 16 where it is none
//
// The compiler proves what it proves of fully_connected_s8_mve.

#ifndef MW_FULLY_CONNECTED_S8_SPARSE_MVE_H
#define MW_FULLY_CONNECTED_S8_SPARSE_MVE_H

#include <stdint.h>

struct mw_fully_connected_s8_sparse_mve {
    int32_t batches;
    int32_t in_len, out_len;
    int32_t mult, shift;
    const int8_t *weights;
    const uint32_t *steps;
    const uint32_t *outputs;
    uint8_t per_channel;
    int8_t out_zp;
    int8_t act_min, act_max;
};

void mw_fully_connected_s8_sparse_mve(const struct mw_fully_connected_s8_sparse_mve *layer, const int8_t *in, int8_t *out,
                                      void *scratch);

#endif
