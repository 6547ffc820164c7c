// Matrix product for convolutions on Helium: int8 weights times columns of int8 inputs.
//   acc[p][c] = bias[c] + sum over k of weights[c][k] * in[p][k]
//   out[p][c] = saturate8(requantize(acc[p][c], mult[c], -exponent[c]) + out_zp)
//
// Two output channels at three pixels, or two, are summed at once, 16 k by one instruction for each of the six. Pixels are
// gathered into columns first, 16 k of each pixel in turn; what k lacks to a multiple of 16 is zero in the last ones.
//
// weights   for each pair of channels, 16 k of one and 16 k of the other in turn. Of the last 16 k there are all, or only
//           tail_bytes; then up to 15 bytes follow the last pair so that whole vectors can be loaded. An odd last channel
//           has a partner of zeros. Eight channels c make the pairs (c, c+2), (c+4, c+6), (c+1, c+3), (c+5, c+7); what is
//           left of the channels makes (c, c+1), (c+2, c+3)...
// channels  see channels_mve.h, in the order of the pairs
//
// The compiler proves that no acc leaves 32 bits, and that every exponent is at least 1 where act_min < out_zp.

#ifndef MW_GEMM_MVE_H
#define MW_GEMM_MVE_H

#include <stdint.h>

struct mw_gemm_mve;

struct mw_product_mve;

// How a product is computed. A layer calls the first two; tiles are of three or two pixels each, `tiles` one after the
// other, out_step bytes from pixel to pixel.
struct mw_tiles_mve {
    // Prepares a call. A pixel's k are row_count rows of row_bytes. Returns the end of the scratch that it takes.
    int8_t *(*start)(struct mw_gemm_mve *gemm, const struct mw_product_mve *product, int32_t row_count, int32_t row_bytes,
                     void *scratch);
    // A row of output pixels. Pixel p reads row_bytes bytes from each of rows[0..row_count-1] + p * step. Where there is
    // more than one row and row_bytes is not a multiple of 16, up to 15 bytes behind them are read, too. Rows shorter than
    // a vector lie within 64 KiB.
    void (*row)(const struct mw_gemm_mve *gemm, const int8_t *const *rows, int32_t step, int32_t pixels, int8_t *out);
    void (*three)(const struct mw_gemm_mve *gemm, int8_t *out, int32_t out_step, int32_t tiles);
    void (*two)(const struct mw_gemm_mve *gemm, int8_t *out, int32_t out_step, int32_t tiles);
    int32_t round;      // units of k in a round of the loop
    int32_t unit;       // vectors of k in a unit
    int32_t unit_bytes; // in the columns of a tile
};

// The scratch of these is 192 bytes, 12 a channel (up to a multiple of 4), at_once times the units of k of the tiles'
// unit_bytes, and, for more than one row that are not whole vectors, 16 a vector of k and 16, or twice this where rows are
// shorter than a vector.
extern const struct mw_tiles_mve mw_tiles_mve; // a unit is a vector of k
// A unit is three vectors. k is [rows][vectors of channels][3 taps][16]: of a window of three taps, a pixel apart, whose
// channels are whole vectors. At least two pixels a row.
extern const struct mw_tiles_mve mw_tiles_sliding_mve;

// What a layer knows of its product. Pointers to what is not used keep it out of the image.
struct mw_product_mve {
    const struct mw_tiles_mve *tiles;
    int32_t at_once;    // tiles of three pixels whose columns are gathered before they are computed
    int32_t tail_bytes; // 0: weights are padded to whole vectors
    int32_t out_ch, out_zp, act_min, act_max;
    int32_t channel_bytes;
    const int8_t *weights;
    const uint8_t *channels;
};

// A layer at work; gemm_mve.c reads it in assembly.
struct mw_gemm_mve {
    const int8_t *weights;
    const int32_t *biases;
    const int32_t *scales; // of four channels: multipliers, then shifts
    int32_t *accs;         // [3][16]
    const int8_t *first;   // end of the first tile's columns of the first round
    int32_t end_or_tail;   // end of all columns as an address, or tail_bytes
    int32_t skip;          // vectors of k that the first round has not
    int32_t mode;          // 0: a single round; 1: and a tail; 2: more rounds
    int32_t out_ch, out_zp;
    int32_t negative;      // outputs below the zero point are not clamped away
    int32_t tile_bytes;    // from a tile's columns to the next
    int32_t end_step;      // from a tile's end_or_tail to the next
    int8_t *columns;
    int8_t *line;          // a pixel's rows joined, or where their bytes lie
    int32_t row_count, row_bytes, at_once;
    const struct mw_tiles_mve *tiles;
};

#endif
