#include "mw/conv_2d_s8_dsp.h"

#include <string.h>

// Copies input row `y`, or the zero point where it lies outside, to its slot of the ring.
static void fetch_row(const struct mw_conv_2d_s8_dsp *layer, const int8_t *in, int32_t y, int8_t *slot)
{
    const int32_t before = layer->pad_left * layer->in_ch;
    const int32_t bytes = layer->in_w * layer->in_ch;
    if (y < 0 || y >= layer->in_h) {
        memset(slot, layer->in_zp, (size_t)layer->row_bytes);
        return;
    }
    memset(slot, layer->in_zp, (size_t)before);
    memcpy(slot + before, in + y * bytes, (size_t)bytes);
    memset(slot + before + bytes, layer->in_zp, (size_t)(layer->row_bytes - before - bytes));
}

void mw_conv_2d_s8_dsp(const struct mw_conv_2d_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t run_count = layer->filter_h * layer->runs_w;
    const int32_t run_bytes = layer->runs_w == 1 ? layer->filter_w * layer->in_ch : layer->in_ch;
    const int32_t run_step = layer->dilation_w * layer->in_ch;
    const int32_t ring_rows = (layer->filter_h - 1) * layer->dilation_h + 1;
    const int32_t out_row = layer->out_w * layer->out_ch;
    struct mw_gemm_pair_dsp *const pairs = scratch;
    struct mw_gemm_pair_dsp *const pairs_end = pairs + (layer->out_ch + 1) / 2;
    const int8_t **const runs = (const int8_t **)pairs_end;
    uint32_t *const columns = (uint32_t *)(runs + run_count);
    int8_t *const ring = (int8_t *)(columns + 3 * layer->k_pairs);
    const struct mw_gemm_dsp gemm = {layer->weights, pairs, pairs_end, layer->k_pairs, layer->out_ch, layer->tiles};

    mw_gemm_dsp_pairs(pairs, (struct mw_gemm_channels_dsp){layer->channels, layer->channel_bytes}, layer->order,
                      layer->out_ch, layer->out_zp);

    int32_t fetched = -layer->pad_top; // the next input row to fetch
    int32_t slot = 0;                  // where it goes
    for (int32_t oy = 0; oy < layer->out_h; ++oy) {
        for (const int32_t end = oy * layer->stride_h - layer->pad_top + ring_rows; fetched < end; ++fetched) {
            fetch_row(layer, in, fetched, ring + slot * layer->row_bytes);
            slot = slot + 1 == ring_rows ? 0 : slot + 1;
        }
        // The ring holds the last rows; the oldest is the one that is overwritten next.
        const int8_t **run = runs;
        for (int32_t y = 0, from = slot; y < layer->filter_h; ++y) {
            for (int32_t x = 0; x < layer->runs_w; ++x) {
                *run++ = ring + from * layer->row_bytes + x * run_step;
            }
            from += layer->dilation_h;
            from -= from >= ring_rows ? ring_rows : 0;
        }
        layer->tiles->row(&gemm, runs, run_count, run_bytes, layer->stride_w * layer->in_ch, layer->out_w, out, columns);
        if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
            mw_clamp_dsp(out, out_row, layer->act_min, layer->act_max);
        }
        out += out_row;
    }
}
