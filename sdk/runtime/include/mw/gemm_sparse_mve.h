// The matrix product of gemm_mve.h without the blocks of weights that are zero: two output channels by 16 k, at four pixels
// at once.
//
// weights   words: where the biases of the first pair are in the scratch, in words; then of each block that is stored, pair by
//           pair, of which each has at least one
//             last of its pair << 31 | last of all << 30 | bytes from its pair's biases to those of the next << 16
//             | where its columns are, in bytes
//             eight words of weights, 16 of one channel and 16 of the other
//           Blocks are counted along each row of a pixel's k from its beginning; what the last one has too much is zero.
//           The columns of a block take 64 bytes. Eight channels take 224 bytes of the scratch; their biases begin at 64.
// channels  see channels_mve.h, filled up to eights; of each eight the even ones, then the odd ones
//
// The compiler proves what it proves of gemm_mve.h, and that no output leaves 16 bits before it is clamped, without the zero
// point.

#ifndef MW_GEMM_SPARSE_MVE_H
#define MW_GEMM_SPARSE_MVE_H

#include "mw/gemm_mve.h"

// The scratch is 28 bytes a channel, of whole eights, and 64 a block of a pixel's k. at_once and tail_bytes mean nothing.
extern const struct mw_tiles_mve mw_tiles_sparse_mve;

#endif
