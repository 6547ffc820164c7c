// The loops of the plain depthwise convolutions, whatever their types. Before including this, define
//   MW_LAYER   the parameters' type, with the members of struct mw_depthwise_conv_2d_s8 that say shapes and steps
//   MW_VALUE, MW_WEIGHT, MW_SUM   types of image, weights and accumulator
//   mac(layer, sum, in, weight)    adds a product
//   output(layer, sum, channel)    makes an output value of the sum of all
// The sum starts from 0 and goes through the window by row and column.

#ifndef MW_DEPTHWISE_CONV_2D_LOOPS_H
#define MW_DEPTHWISE_CONV_2D_LOOPS_H

#include "mw/window.h"

// Of one output value. `in` is the input channel and `weights` the output channel at the first tap inside the image.
static MW_SUM sum_of(const MW_LAYER *layer, const MW_VALUE *in, const MW_WEIGHT *weights, int32_t rows, int32_t columns)
{
    const int32_t out_ch = layer->in_ch * layer->multiplier;
    const int32_t in_step = layer->dilation_w * layer->in_ch;
    const int32_t in_row = layer->dilation_h * layer->in_w * layer->in_ch;
    const int32_t weights_row = layer->filter_w * out_ch;
    MW_SUM sum = 0;
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t x = 0; x < columns; ++x) {
            sum = mac(layer, sum, in[y * in_row + x * in_step], weights[y * weights_row + x * out_ch]);
        }
    }
    return sum;
}

static void depthwise_conv_2d(const MW_LAYER *layer, const MW_VALUE *in, MW_VALUE *out)
{
    const int32_t out_ch = layer->in_ch * layer->multiplier;

    for (int32_t b = 0; b < layer->batches; ++b) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const int32_t top = oy * layer->stride_h - layer->pad_top;
            const struct mw_taps ys = mw_taps_inside(top, layer->dilation_h, layer->filter_h, layer->in_h);

            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const int32_t left = ox * layer->stride_w - layer->pad_left;
                const struct mw_taps xs = mw_taps_inside(left, layer->dilation_w, layer->filter_w, layer->in_w);
                const int32_t columns = xs.end - xs.first;
                const int32_t rows = columns == 0 ? 0 : ys.end - ys.first;
                const MW_VALUE *pixel = in;
                const MW_WEIGHT *weights = layer->weights;
                if (rows > 0) {
                    const int32_t y = top + ys.first * layer->dilation_h;
                    const int32_t x = left + xs.first * layer->dilation_w;
                    pixel += (y * layer->in_w + x) * layer->in_ch;
                    weights += (ys.first * layer->filter_w + xs.first) * out_ch;
                }
                int32_t o = 0;

                for (int32_t i = 0; i < layer->in_ch; ++i) {
                    for (int32_t m = 0; m < layer->multiplier; ++m, ++o) {
                        *out++ = output(layer, sum_of(layer, pixel + i, weights + o, rows, columns), o);
                    }
                }
            }
        }
        in += layer->in_h * layer->in_w * layer->in_ch;
    }
}

#endif
