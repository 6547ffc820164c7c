#include "mw/max_pool_2d_s8_lanes.h"

#include "mw/lanes.h"
#include "mw/requantize.h"
#include "mw/window.h"

// One pixel, over `rows` rows of `columns` pixels.
static void pool(const struct mw_max_pool_2d_s8_lanes *layer, const int8_t *in, int32_t rows, int32_t columns,
                 int8_t *out)
{
    const int32_t step = layer->channels;
    const int32_t row = layer->in_w * step;
    int32_t c = 0;
    for (; c + 4 <= layer->channels; c += 4) {
        int8_t best[4] = {INT8_MIN, INT8_MIN, INT8_MIN, INT8_MIN};
        for (int32_t y = 0; y < rows; ++y) {
            mw_lanes_max(best, in + c + y * row, step, columns);
        }
        memcpy(out + c, best, sizeof best);
    }
    for (; c < layer->channels; ++c) {
        int32_t best = INT8_MIN;
        for (int32_t y = 0; y < rows; ++y) {
            const int8_t *at = in + c + y * row;
            for (int32_t x = 0; x < columns; ++x, at += step) {
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
                pool(layer, in + (top + ys.first) * row + (left + xs.first) * layer->channels, ys.end - ys.first,
                     xs.end - xs.first, out + ox * layer->channels);
            }
            if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
                for (int32_t i = 0; i < out_row; ++i) {
                    out[i] = (int8_t)mw_clamp(out[i], layer->act_min, layer->act_max);
                }
            }
        }
    }
}
