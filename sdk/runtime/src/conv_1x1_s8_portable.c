#include "mw/conv_1x1_s8_portable.h"

void mw_conv_1x1_s8_portable(const struct mw_conv_1x1_s8_portable *layer, const int8_t *in, int8_t *out, void *scratch)
{
    struct mw_channel *const channels = scratch;
    uint32_t *const columns = (uint32_t *)(channels + layer->out_ch);
    const struct mw_gemm_portable gemm = {layer->weights, channels, channels + layer->out_ch, layer->in_ch,
                                          layer->out_ch};
    const int32_t out_row = layer->row_pixels * layer->out_ch;

    mw_channels_unpack(channels, layer->channels, layer->channel_bytes, layer->out_ch, layer->out_zp);
    for (int32_t row = 0; row < layer->rows; ++row) {
        mw_gemm_portable_row(&gemm, &in, 1, layer->in_ch, layer->in_step, layer->row_pixels, out, columns);
        mw_clamp_s8(out, out_row, layer->act_min, layer->act_max);
        in += layer->in_row_bytes;
        out += out_row;
    }
}
