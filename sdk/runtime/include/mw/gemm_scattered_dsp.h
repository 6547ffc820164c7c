// The matrix product of gemm_dsp.h of weights that are mostly zero, wherever they are: only the others are multiplied.
//
// weights   channel after channel in the order of the pairs, an odd last one twice:
//             a word       256 * bytes of the channel's weights + 72 if the first round has two, + 144 if there are none
//             weights      in rounds of four, but the first one, two bytes each: the weight, and 12 * how many k further it is
//                          than the one before, of the first one: than k = 0. A step beyond 21 takes weights of 0 on the
//                          way, and so does what fills up the last two
//           k runs over the bytes of a row, then of the next
// k_pairs   here the number of k and half the number of channels, rounded up: the columns have six pixels, and behind them
//           is place for six pixels of the output

#ifndef MW_GEMM_SCATTERED_DSP_H
#define MW_GEMM_SCATTERED_DSP_H

#include "mw/gemm_dsp.h"

// As mw_gemm_dsp_signed and mw_gemm_dsp_clamped.
extern const struct mw_gemm_tiles_dsp mw_gemm_scattered_dsp_signed;
extern const struct mw_gemm_tiles_dsp mw_gemm_scattered_dsp_clamped;

#endif
