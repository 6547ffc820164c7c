// The loops of the plain pools, whatever their types. Before including this, define
//   MW_LAYER   the parameters' type, with the members of struct mw_max_pool_2d_s8 that say shapes and steps
//   MW_VALUE, MW_TOTAL   types of pixels and of what is made of them
//   START                what that starts from
//   take(total, value)             takes a pixel of the window, by row and column
//   output(layer, total, count)    makes an output value of `count` pixels' total

#ifndef MW_POOL_2D_LOOPS_H
#define MW_POOL_2D_LOOPS_H

#include "mw/window.h"

static MW_TOTAL total_of(const MW_VALUE *in, int32_t rows, int32_t row, int32_t columns, int32_t step)
{
    MW_TOTAL total = START;
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t x = 0; x < columns; ++x) {
            total = take(total, in[y * row + x * step]);
        }
    }
    return total;
}

static void pool_2d(const MW_LAYER *layer, const MW_VALUE *in, MW_VALUE *out)
{
    const int32_t row = layer->in_w * layer->channels;

    for (int32_t b = 0; b < layer->batches; ++b) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, 1, layer->filter_h, layer->in_h);
            const int32_t rows = ys.end - ys.first;

            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, 1, layer->filter_w, layer->in_w);
                const int32_t columns = xs.end - xs.first;
                const MW_VALUE *const pixel = in + (top + ys.first) * row + (left + xs.first) * layer->channels;

                for (int32_t c = 0; c < layer->channels; ++c) {
                    const MW_TOTAL total = total_of(pixel + c, rows, row, columns, layer->channels);
                    *out++ = output(layer, total, rows * columns);
                }
            }
        }
        in += layer->in_h * row;
    }
}

#endif
