// The matrix product of gemm_dsp.h without the blocks of weights that are zero: two output channels by four k.
//
// weights   word 0      bytes of the blocks that follow
//           blocks      two words each, as gemm_dsp.h packs a pair of channels: those of the first pair in the order of k,
//                       then those of the next
//           steps       a byte a block: how many blocks of k further than the one before, the first one from -1; after the
//                       last block of a pair a 0. A step beyond 255 takes blocks of zeros on the way. Filled up to a word

#ifndef MW_GEMM_SPARSE_DSP_H
#define MW_GEMM_SPARSE_DSP_H

#include "mw/gemm_dsp.h"

// As mw_gemm_dsp_signed and mw_gemm_dsp_clamped.
extern const struct mw_gemm_tiles_dsp mw_gemm_sparse_dsp_signed;
extern const struct mw_gemm_tiles_dsp mw_gemm_sparse_dsp_clamped;

#endif
