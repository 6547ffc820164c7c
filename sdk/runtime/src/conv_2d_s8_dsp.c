#include "mw/conv_2d_s8_dsp.h"

#include "mw/row_ring.h"

void mw_conv_2d_s8_dsp(const struct mw_conv_2d_s8_dsp *layer, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t run_count = layer->filter_h * layer->runs_w;
    const int32_t group_in = layer->in_ch / layer->groups;
    const int32_t pair_count = (layer->channel_count + 1) / 2;
    const int32_t group_pairs = pair_count / layer->groups;
    const int32_t run_bytes = layer->filter_w / layer->runs_w * group_in;
    const int32_t run_step = layer->dilation_w * layer->in_ch;
    const int32_t out_row = layer->out_w * layer->out_ch;
    struct mw_gemm_pair_dsp *const pairs = scratch;
    struct mw_gemm_pair_dsp *const pairs_end = pairs + pair_count;
    const int8_t **const runs = (const int8_t **)pairs_end;
    uint32_t *const columns = (uint32_t *)(runs + run_count);
    struct mw_row_ring ring = {
        .in = in,
        .in_h = layer->in_h,
        .in_bytes = layer->in_w * layer->in_ch,
        .rows = (int8_t *)(columns + 3 * layer->k_pairs),
        .count = (layer->filter_h - 1) * layer->dilation_h + 1,
        .row_bytes = layer->row_bytes,
        .pad_bytes = layer->pad_left * layer->in_ch,
        .zero_point = layer->in_zp,
        .fetched = -layer->pad_top,
    };
    struct mw_gemm_dsp gemm = {layer->weights, pairs, pairs_end, layer->k_pairs, layer->out_ch, layer->tiles};

    mw_gemm_dsp_pairs(pairs, (struct mw_gemm_channels_dsp){layer->channels, layer->channel_bytes}, layer->order,
                      layer->channel_count, layer->out_zp);

    for (int32_t oy = 0; oy < layer->out_h; ++oy) {
        mw_row_ring_fetch(&ring, oy * layer->stride_h - layer->pad_top + ring.count, mw_copy_c, mw_fill_c);
        gemm.weights = layer->weights;
        gemm.first = pairs;
        for (int32_t g = 0; g < layer->groups; ++g) {
            const int8_t **run = runs;
            for (int32_t y = 0; y < layer->filter_h; ++y) {
                const int8_t *const row = mw_row_ring_row(&ring, y * layer->dilation_h) + g * group_in;
                for (int32_t x = 0; x < layer->runs_w; ++x) {
                    *run++ = row + x * run_step;
                }
            }
            gemm.end = gemm.first + group_pairs;
            layer->tiles->row(&gemm, runs, run_count, run_bytes, layer->stride_w * layer->in_ch, layer->out_w,
                              out, columns);
            gemm.first = gemm.end;
            gemm.weights += group_pairs * layer->k_pairs;
        }
        mw_clamp_dsp(out, out_row, layer->act_min, layer->act_max);
        out += out_row;
    }
}
