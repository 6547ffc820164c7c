#include "mw/average_pool_2d_s8_lanes.h"

#include "mw/lanes.h"
#include "mw/requantize.h"
#include "mw/window.h"

static inline int8_t average(int32_t total, int32_t count, int32_t half)
{
    return (int8_t)((total + (total > 0 ? half : -half)) / count);
}

static void pool(int32_t channels, struct mw_pixels window, int8_t *out)
{
    const int32_t taps = window.runs * window.count;
    const int32_t half = taps / 2;
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        for (int32_t run = 0; run < window.runs; ++run) {
            mw_lanes_sum(sums, window.first + c + run * window.run_step, window.step, window.count);
        }
        out[c] = average(sums[0], taps, half);
        out[c + 1] = average(sums[1], taps, half);
        out[c + 2] = average(sums[2], taps, half);
        out[c + 3] = average(sums[3], taps, half);
    }
    for (; c < channels; ++c) {
        int32_t sum = 0;
        for (int32_t run = 0; run < window.runs; ++run) {
            const int8_t *at = window.first + c + run * window.run_step;
            for (int32_t i = 0; i < window.count; ++i, at += window.step) {
                sum += *at;
            }
        }
        out[c] = average(sum, taps, half);
    }
}

void mw_average_pool_2d_s8_lanes(const struct mw_average_pool_2d_s8_lanes *layer, const int8_t *in, int8_t *out)
{
    const int32_t row = layer->in_w * layer->channels;

    for (int32_t b = 0; b < layer->batches; ++b) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, 1, layer->filter_h, layer->in_h);

            for (int32_t ox = 0; ox < layer->out_w; ++ox, out += layer->channels) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, 1, layer->filter_w, layer->in_w);
                pool(layer->channels, mw_pixels_inside(in, layer->in_w, layer->channels, top, ys, left, xs), out);
            }
            if (layer->act_min > INT8_MIN || layer->act_max < INT8_MAX) {
                for (int8_t *value = out - layer->out_w * layer->channels; value != out; ++value) {
                    *value = (int8_t)mw_clamp(*value, layer->act_min, layer->act_max);
                }
            }
        }
        in += layer->in_h * row;
    }
}
