#include "mw/mean_s8.h"

#include "mw/requantize.h"

// Sum over the reduced axes, from the first value.
static int32_t sum(const struct mw_mean_s8 *layer, const int8_t *in)
{
    int32_t total = 0;
    for (int32_t i = 0; i < layer->reduce_size[0]; ++i) {
        for (int32_t j = 0; j < layer->reduce_size[1]; ++j) {
            const int8_t *const line = in + i * layer->reduce_stride[0] + j * layer->reduce_stride[1];
            for (int32_t k = 0; k < layer->reduce_size[2]; ++k) {
                total += line[k * layer->reduce_stride[2]];
            }
        }
    }
    return total;
}

void mw_mean_s8(const struct mw_mean_s8 *layer, const int8_t *in, int8_t *out)
{
    const int32_t count = layer->reduce_size[0] * layer->reduce_size[1] * layer->reduce_size[2];
    for (int32_t i = 0; i < layer->keep_size[0]; ++i) {
        for (int32_t j = 0; j < layer->keep_size[1]; ++j) {
            const int8_t *const line = in + i * layer->keep_stride[0] + j * layer->keep_stride[1];
            for (int32_t k = 0; k < layer->keep_size[2]; ++k) {
                const int32_t centred = sum(layer, line + k * layer->keep_stride[2]) - layer->in_zp * count;
                *out++ = mw_requantize_s8(centred, layer->mult, layer->shift, layer->out_zp, INT8_MIN, INT8_MAX);
            }
        }
    }
}
