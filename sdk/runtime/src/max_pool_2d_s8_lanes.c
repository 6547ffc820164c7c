#include "mw/max_pool_2d_s8_lanes.h"

#include "mw/lanes.h"
#include "mw/requantize.h"
#include "mw/window.h"

static void pool(int32_t channels, struct mw_pixels window, int8_t *out)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        int8_t best[4] = {INT8_MIN, INT8_MIN, INT8_MIN, INT8_MIN};
        for (int32_t run = 0; run < window.runs; ++run) {
            mw_lanes_max(best, window.first + c + run * window.run_step, window.step, window.count);
        }
        memcpy(out + c, best, sizeof best);
    }
    for (; c < channels; ++c) {
        int32_t best = INT8_MIN;
        for (int32_t run = 0; run < window.runs; ++run) {
            const int8_t *at = window.first + c + run * window.run_step;
            for (int32_t i = 0; i < window.count; ++i, at += window.step) {
                best = *at > best ? *at : best;
            }
        }
        out[c] = (int8_t)best;
    }
}

void mw_max_pool_2d_s8_lanes(const struct mw_max_pool_2d_s8_lanes *layer, const int8_t *in, int8_t *out)
{
    const int32_t row = layer->in_w * layer->channels;
    const int32_t out_row = layer->out_w * layer->channels;

    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_h * row) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy, out += out_row) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, 1, layer->filter_h, layer->in_h);

            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, 1, layer->filter_w, layer->in_w);
                pool(layer->channels, mw_pixels_inside(in, layer->in_w, layer->channels, top, ys, left, xs),
                     out + ox * layer->channels);
            }
            if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
                for (int32_t i = 0; i < out_row; ++i) {
                    out[i] = (int8_t)mw_clamp(out[i], layer->act_min, layer->act_max);
                }
            }
        }
    }
}
