#include "mw/mean_s8_lanes.h"

#include "mw/lanes.h"
#include "mw/requantize.h"

static int8_t mean(const struct mw_mean_s8_lanes *layer, int32_t sum, int32_t count)
{
    return mw_requantize_s8(sum - layer->in_zp * count, layer->mult, layer->shift, layer->out_zp, INT8_MIN, INT8_MAX);
}

// Means of keep_size[2] neighbouring channels.
static void line(const struct mw_mean_s8_lanes *layer, const int8_t *in, int32_t count, int8_t *out)
{
    const int32_t *const size = layer->reduce_size;
    const int32_t *const stride = layer->reduce_stride;
    int32_t c = 0;
    for (; c + 4 <= layer->keep_size[2]; c += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        for (int32_t i = 0; i < size[0]; ++i) {
            for (int32_t j = 0; j < size[1]; ++j) {
                mw_lanes_sum(sums, in + c + i * stride[0] + j * stride[1], stride[2], size[2]);
            }
        }
        out[c] = mean(layer, sums[0], count);
        out[c + 1] = mean(layer, sums[1], count);
        out[c + 2] = mean(layer, sums[2], count);
        out[c + 3] = mean(layer, sums[3], count);
    }
    for (; c < layer->keep_size[2]; ++c) {
        int32_t sum = 0;
        for (int32_t i = 0; i < size[0]; ++i) {
            for (int32_t j = 0; j < size[1]; ++j) {
                const int8_t *at = in + c + i * stride[0] + j * stride[1];
                for (int32_t k = 0; k < size[2]; ++k, at += stride[2]) {
                    sum += *at;
                }
            }
        }
        out[c] = mean(layer, sum, count);
    }
}

void mw_mean_s8_lanes(const struct mw_mean_s8_lanes *layer, const int8_t *in, int8_t *out)
{
    const int32_t count = layer->reduce_size[0] * layer->reduce_size[1] * layer->reduce_size[2];
    for (int32_t i = 0; i < layer->keep_size[0]; ++i) {
        for (int32_t j = 0; j < layer->keep_size[1]; ++j) {
            line(layer, in + i * layer->keep_stride[0] + j * layer->keep_stride[1], count, out);
            out += layer->keep_size[2];
        }
    }
}
