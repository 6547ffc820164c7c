#include "mw/conv_1x1_s8_dsp.h"

void mw_conv_1x1_s8_dsp(const struct mw_conv_1x1_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch)
{
    struct mw_gemm_pair_dsp *const pairs = scratch;
    struct mw_gemm_pair_dsp *const pairs_end = pairs + (layer->out_ch + 1) / 2;
    uint32_t *const columns = (uint32_t *)pairs_end;
    const struct mw_gemm_dsp gemm = {layer->weights, pairs, pairs_end, layer->k_pairs, layer->out_ch,
                                     layer->tiles};
    const int32_t out_row = layer->row_pixels * layer->out_ch;

    mw_gemm_dsp_pairs(pairs, (struct mw_gemm_channels_dsp){layer->channels, layer->channel_bytes}, layer->order,
                      layer->out_ch, layer->out_zp);
    for (int32_t row = 0; row < layer->rows; ++row) {
        layer->tiles->row(&gemm, &in, 1, layer->in_ch, layer->in_step, layer->row_pixels, out, columns);
        mw_clamp_dsp(out, out_row, layer->act_min, layer->act_max);
        in += layer->in_row_bytes;
        out += out_row;
    }
}
