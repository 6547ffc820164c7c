#include "mw/transpose_conv_s8.h"

#include "mw/requantize.h"

// The taps of an output along an axis that meet a pixel: tap `first` and every `stride`-th behind it below `end`. The first
// meets pixel `pixel`, each further one the pixel before.
struct taps {
    int32_t first, end, pixel;
};

static struct taps taps_at(int32_t place, int32_t stride, int32_t taps, int32_t size)
{
    struct taps met = {place % stride, taps, place / stride};
    // Those before the first meet pixels behind the image, those from the end on pixels in front of it.
    while (met.first < taps && met.pixel >= size) {
        met.first += stride;
        --met.pixel;
    }
    if (met.end > place + 1) {
        met.end = place + 1;
    }
    return met;
}

static int32_t mac(const struct mw_transpose_conv_s8 *layer, const int8_t *in, const int8_t *weights, struct taps ys,
                   struct taps xs)
{
    const int32_t channels = layer->in_ch;
    int32_t acc = 0;
    for (int32_t y = ys.first, in_y = ys.pixel; y < ys.end; y += layer->stride_h, --in_y) {
        for (int32_t x = xs.first, in_x = xs.pixel; x < xs.end; x += layer->stride_w, --in_x) {
            const int8_t *const a = in + (in_y * layer->in_w + in_x) * channels;
            const int8_t *const w = weights + (y * layer->filter_w + x) * channels;
            for (int32_t i = 0; i < channels; ++i) {
                acc += (a[i] - layer->in_zp) * w[i];
            }
        }
    }
    return acc;
}

void mw_transpose_conv_s8(const struct mw_transpose_conv_s8 *layer, const int8_t *in, int8_t *out)
{
    const int32_t weights_ch = layer->filter_h * layer->filter_w * layer->in_ch;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_h * layer->in_w * layer->in_ch) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const struct taps ys = taps_at(oy + layer->pad_top, layer->stride_h, layer->filter_h, layer->in_h);
            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const struct taps xs = taps_at(ox + layer->pad_left, layer->stride_w, layer->filter_w, layer->in_w);
                for (int32_t o = 0; o < layer->out_ch; ++o) {
                    const int32_t bias = layer->bias ? layer->bias[o] : 0;
                    const int32_t acc = bias + mac(layer, in, layer->weights + o * weights_ch, ys, xs);
                    *out++ = mw_requantize_s8(acc, layer->mult[o], layer->shift[o], layer->out_zp, layer->act_min,
                                              layer->act_max);
                }
            }
        }
    }
}
