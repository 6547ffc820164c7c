// The matrix product of gemm_dsp.h of weights that are mostly zero, wherever they are: only the others are multiplied.
//
// weights   channel after channel in the order of the pairs:
//             a word       bytes of the channel behind it
//             weights      two bytes each, an even number of pairs of them: the weight, and 12 * how many k further it is
//                          than the one before, of the first one: than k = 0. A step beyond 21 takes weights of 0 on the
//                          way, and so does what fills up the last four
//           k runs over the bytes of a row, then of the next
// k_pairs   here the number of k: the columns have six pixels

#ifndef MW_GEMM_SCATTERED_DSP_H
#define MW_GEMM_SCATTERED_DSP_H

#include "mw/gemm_dsp.h"

extern const struct mw_gemm_tiles_dsp mw_gemm_scattered_dsp;

#endif
