#include "mw/resize_bilinear_s8.h"

// Two neighbours along an axis, in elements from the first, and the second one's weight in 1/1024.
struct neighbours {
    int32_t first, second, weight;
};

static struct neighbours between(int32_t place, int32_t size, int32_t stride)
{
    const int32_t below = place < 0 ? 0 : place >> 10;
    const int32_t above = (place + 1023) >> 10;
    return (struct neighbours){
        .first = below * stride,
        .second = (above < size ? above : size - 1) * stride,
        .weight = place - below * 1024,
    };
}

void mw_resize_bilinear_s8(const struct mw_resize_bilinear_s8 *layer, const int8_t *in, int8_t *out)
{
    const int32_t channels = layer->channels;
    const int32_t row = layer->in_w * channels;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_h * row) {
        for (int32_t oy = 0; oy < layer->out_h; ++oy) {
            const struct neighbours y = between(oy * layer->scale_h + layer->offset_h, layer->in_h, row);
            for (int32_t ox = 0; ox < layer->out_w; ++ox) {
                const struct neighbours x = between(ox * layer->scale_w + layer->offset_w, layer->in_w, channels);
                const int8_t *const top = in + y.first;
                const int8_t *const bottom = in + y.second;
                for (int32_t c = 0; c < channels; ++c) {
                    const int32_t upper = top[x.first + c] * (1024 - x.weight) + top[x.second + c] * x.weight;
                    const int32_t lower = bottom[x.first + c] * (1024 - x.weight) + bottom[x.second + c] * x.weight;
                    const int32_t sum = upper * (1024 - y.weight) + lower * y.weight;
                    *out++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
                }
            }
        }
    }
}
