#include "mw/conv_2d_s8_mve.h"

#include "mw/mve.h"

// Copies input row `y`, or the zero point where it lies outside, to its slot of the ring.
static void fetch_row(const struct mw_conv_2d_s8_mve *layer, const int8_t *in, int32_t y, int8_t *slot)
{
    const int32_t before = layer->pad_left * layer->in_ch;
    const int32_t bytes = layer->in_w * layer->in_ch;
    if (y < 0 || y >= layer->in_h) {
        mw_fill_mve(slot, layer->in_zp, layer->row_bytes);
        return;
    }
    mw_fill_mve(slot, layer->in_zp, before);
    mw_copy_mve(slot + before, in + y * bytes, bytes);
    mw_fill_mve(slot + before + bytes, layer->in_zp, layer->row_bytes - before - bytes);
}

void mw_conv_2d_s8_mve(const struct mw_conv_2d_s8_mve *layer, const int8_t *in, int8_t *out, void *scratch)
{
    const struct mw_product_mve *const product = &layer->product;
    const int32_t out_row = layer->out_w * product->out_ch;
    struct mw_gemm_mve gemm;
    const int32_t row_taps = layer->filter_w * layer->in_ch;
    int8_t *const ring = mw_gemm_mve_start(&gemm, product, layer->filter_h, row_taps, scratch);
    const int8_t **const rows = (const int8_t **)(ring + layer->filter_h * layer->row_bytes + 16);

    int32_t fetched = -layer->pad_top; // the next input row to fetch
    int32_t slot = 0;                  // where it goes
    for (int32_t oy = 0; oy < layer->out_h; ++oy) {
        const int32_t top = oy * layer->stride_h - layer->pad_top;
        for (; fetched < top + layer->filter_h; ++fetched) {
            fetch_row(layer, in, fetched, ring + slot * layer->row_bytes);
            slot = slot + 1 == layer->filter_h ? 0 : slot + 1;
        }
        // The ring holds the last filter_h rows; the oldest is the one that is overwritten next.
        for (int32_t y = 0, from = slot; y < layer->filter_h; ++y) {
            rows[y] = ring + from * layer->row_bytes;
            from = from + 1 == layer->filter_h ? 0 : from + 1;
        }
        mw_gemm_mve_row(&gemm, rows, layer->stride_w * layer->in_ch, layer->out_w, out);
        if (product->act_min > INT8_MIN || product->act_max < INT8_MAX) {
            mw_clamp_mve(out, out_row, product->act_min, product->act_max);
        }
        out += out_row;
    }
}
