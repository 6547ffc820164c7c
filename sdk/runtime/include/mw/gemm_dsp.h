// Matrix product for convolutions on cores with the DSP extension: int8 weights times columns of int8 inputs.
//   acc[c][p]           = bias[c] + sum_k weights[c][k] * in[p][k]      the input's zero point is folded into the bias
//   out[p][channel(c)]  = saturate8(requantize(acc[c][p], mult[c], -exponent[c]) + out_zp)
//
// Two output channels are computed by one multiplication: a 16-bit weight holds weights[c0][k] + 256 * weights[c1][k], so
// that SMLAD on it sums acc[c0] + 256 * acc[c1] for two k at once, and SMLAD on its low byte, sign-extended, acc[c0].
// Their difference is 256 * acc[c1], which has to fit in 32 bits. The compiler proves for each layer
//   |acc[c1]| < 2^23,   |acc[c]| < 2^30,   not (weights[c1][k] = -128 and weights[c0][k] < 0),   1 <= exponent <= 23.

#ifndef MW_GEMM_DSP_H
#define MW_GEMM_DSP_H

#include <stdint.h>

// A channel in flash takes 7 or 8 bytes, the same for all of a layer: a little-endian word and the rest, which has a sign.
//   (exponent >> 3) * 2^30 + mult - 2^30
//   bias * 8 + (exponent & 7)
// A byte after the last channel may be read.
struct mw_gemm_channels_dsp {
    const uint8_t *bytes;
    int32_t channel_bytes;
};

// A channel in RAM: out = (mult * 2 * acc / 2^32 + round) >> exponent, at `offset` bytes into a pixel.
struct mw_gemm_scale_dsp {
    int32_t mult, round, exponent, offset;
};

struct mw_gemm_pair_dsp {
    int32_t bias0[3];  // of channel 0, for each pixel of a tile
    int32_t bias01[3]; // bias0 + 256 * bias of channel 1
    struct mw_gemm_scale_dsp scale1, scale0;
};

struct mw_gemm_dsp;

// A row of output pixels. Pixel p reads row_bytes bytes from each of rows[0..row_count-1] + p * step. `columns` is scratch
// of 3 * k_pairs words.
typedef void mw_gemm_row_dsp(const struct mw_gemm_dsp *gemm, const int8_t *const *rows, int32_t row_count,
                             int32_t row_bytes, int32_t step, int32_t pixels, int8_t *out, uint32_t *columns);

// How rows are computed; for mw_gemm_dsp_row, all channels at 1, 2 and 3 pixels.
struct mw_gemm_tiles_dsp {
    mw_gemm_row_dsp *row;
    void (*of_pixels[3])(const struct mw_gemm_dsp *gemm, const uint32_t *columns, int8_t *out);
};

// The order of k that the weights are packed in: of each row the whole words, byte 0 and 2 as one pair and byte 1 and 3 as
// the next, then what is left over of all rows, two by two.
mw_gemm_row_dsp mw_gemm_dsp_row;

// For any output, and for those that are clamped at act_min >= out_zp, where a negative sum may be rounded either way.
extern const struct mw_gemm_tiles_dsp mw_gemm_dsp_signed;
extern const struct mw_gemm_tiles_dsp mw_gemm_dsp_clamped;

struct mw_gemm_dsp {
    const uint32_t *weights; // [pairs][k / 2]
    const struct mw_gemm_pair_dsp *first, *end;
    int32_t k_pairs;  // two k each; even
    int32_t out_step; // bytes from one pixel of the output to the next
    const struct mw_gemm_tiles_dsp *tiles;
};

// Pairs in RAM from channels in flash. `order` gives the place of each channel in a pixel, NULL: as they come. An odd last
// channel is paired with itself.
void mw_gemm_dsp_pairs(struct mw_gemm_pair_dsp *pairs, struct mw_gemm_channels_dsp channels, const uint16_t *order,
                       int32_t channel_count, int32_t out_zp);

// A channel's bias, and its scale, for a place at `offset` in a pixel.
int32_t mw_gemm_dsp_bias(struct mw_gemm_channels_dsp channels, int32_t channel);
struct mw_gemm_scale_dsp mw_gemm_dsp_scale(struct mw_gemm_channels_dsp channels, int32_t channel, int32_t offset,
                                           int32_t out_zp);

// One row's inputs as pairs of 16 bits, in the order of the weights, and zeros up to `end`.
void mw_expand_dsp(uint32_t *to, const uint32_t *end, const int8_t *in, int32_t in_len);

// Clamp in place.
void mw_clamp_dsp(int8_t *values, int32_t count, int32_t low, int32_t high);

#endif
