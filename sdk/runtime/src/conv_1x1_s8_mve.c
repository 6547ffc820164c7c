#include "mw/conv_1x1_s8_mve.h"

#include "mw/mve.h"

void mw_conv_1x1_s8_mve(const struct mw_conv_1x1_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch)
{
    const struct mw_product_mve *const product = &layer->product;
    const int32_t out_row = layer->row_pixels * product->out_ch;
    struct mw_gemm_mve gemm;

    product->tiles->start(&gemm, product, 1, layer->in_ch, scratch);
    for (int32_t row = 0; row < layer->rows; ++row) {
        product->tiles->row(&gemm, &in, layer->in_step, layer->row_pixels, out);
        if (product->act_min > INT8_MIN || product->act_max < INT8_MAX) {
            mw_clamp_mve(out, out_row, product->act_min, product->act_max);
        }
        in += layer->in_row_bytes;
        out += out_row;
    }
}
