#include "mw/max_pool_2d_s8.h"

#include "mw/requantize.h"
#include "mw/window.h"

static int32_t maximum(const int8_t *in, int32_t rows, int32_t row, int32_t columns, int32_t step)
{
    int32_t largest = INT8_MIN;
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t x = 0; x < columns; ++x) {
            const int32_t value = in[y * row + x * step];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

void mw_max_pool_2d_s8(const struct mw_max_pool_2d_s8 *layer, const int8_t *in, int8_t *out)
{
    const int32_t row = layer->in_w * layer->channels;

    for (int32_t b = 0; b < layer->batches; ++b) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, 1, layer->filter_h, layer->in_h);

            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, 1, layer->filter_w, layer->in_w);
                const int8_t *const pixel = in + (top + ys.first) * row + (left + xs.first) * layer->channels;

                for (int32_t c = 0; c < layer->channels; ++c) {
                    const int32_t largest =
                        maximum(pixel + c, ys.end - ys.first, row, xs.end - xs.first, layer->channels);
                    *out++ = (int8_t)mw_clamp(largest, layer->act_min, layer->act_max);
                }
            }
        }
        in += layer->in_h * row;
    }
}
