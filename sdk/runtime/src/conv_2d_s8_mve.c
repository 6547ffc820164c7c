#include "mw/conv_2d_s8_mve.h"

#include "mw/mve.h"
#include "mw/row_ring.h"

void mw_conv_2d_s8_mve(const struct mw_conv_2d_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch)
{
    const struct mw_product_mve *const product = &layer->product;
    const int32_t out_row = layer->out_w * product->out_ch;
    struct mw_gemm_mve gemm;
    const int32_t row_taps = layer->filter_w * layer->in_ch;
    int8_t *const ring_rows = product->tiles->start(&gemm, product, layer->filter_h, row_taps, scratch);
    const int8_t **const rows = (const int8_t **)(ring_rows + layer->filter_h * layer->row_bytes + 16);
    struct mw_row_ring ring = {
        .in = in,
        .in_h = layer->in_h,
        .in_bytes = layer->in_w * layer->in_ch,
        .rows = ring_rows,
        .count = layer->filter_h,
        .row_bytes = layer->row_bytes,
        .pad_bytes = layer->pad_left * layer->in_ch,
        .zero_point = layer->in_zp,
        .fetched = -layer->pad_top,
    };

    for (int32_t oy = 0; oy < layer->out_h; ++oy) {
        mw_row_ring_fetch(&ring, oy * layer->stride_h - layer->pad_top + ring.count, mw_copy_mve, mw_fill_mve);
        for (int32_t y = 0; y < layer->filter_h; ++y) {
            rows[y] = mw_row_ring_row(&ring, y);
        }
        product->tiles->row(&gemm, rows, layer->stride_w * layer->in_ch, layer->out_w, out);
        if (product->act_min > INT8_MIN || product->act_max < INT8_MAX) {
            mw_clamp_mve(out, out_row, product->act_min, product->act_max);
        }
        out += out_row;
    }
}
