#include "mw/depthwise_conv_2d_s8.h"

#include "mw/requantize.h"
#include "mw/window.h"

// One output value. `in` is the input channel and `weights` the output channel at the first tap inside the image.
static int32_t mac(const struct mw_depthwise_conv_2d_s8 *layer, const int8_t *in, const int8_t *weights, int32_t rows,
                   int32_t columns)
{
    const int32_t out_ch = layer->in_ch * layer->multiplier;
    const int32_t in_step = layer->dilation_w * layer->in_ch;
    const int32_t in_row = layer->dilation_h * layer->in_w * layer->in_ch;
    const int32_t weights_row = layer->filter_w * out_ch;
    const int32_t in_zp = layer->in_zp;
    int32_t acc = 0;
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t x = 0; x < columns; ++x) {
            acc += (in[y * in_row + x * in_step] - in_zp) * weights[y * weights_row + x * out_ch];
        }
    }
    return acc;
}

void mw_depthwise_conv_2d_s8(const struct mw_depthwise_conv_2d_s8 *layer, const int8_t *in, int8_t *out,
                             void *scratch)
{
    (void)scratch;
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
                const int8_t *pixel = in;
                const int8_t *weights = layer->weights;
                if (rows > 0) {
                    const int32_t y = top + ys.first * layer->dilation_h;
                    const int32_t x = left + xs.first * layer->dilation_w;
                    pixel += (y * layer->in_w + x) * layer->in_ch;
                    weights += (ys.first * layer->filter_w + xs.first) * out_ch;
                }
                int32_t o = 0;

                for (int32_t i = 0; i < layer->in_ch; ++i) {
                    for (int32_t m = 0; m < layer->multiplier; ++m, ++o) {
                        const int32_t bias = layer->bias ? layer->bias[o] : 0;
                        const int32_t acc = bias + mac(layer, pixel + i, weights + o, rows, columns);
                        *out++ = mw_requantize_s8(acc, layer->mult[o], layer->shift[o], layer->out_zp,
                                                  layer->act_min, layer->act_max);
                    }
                }
            }
        }
        in += layer->in_h * layer->in_w * layer->in_ch;
    }
}
