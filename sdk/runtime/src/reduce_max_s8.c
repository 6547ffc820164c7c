#include "mw/reduce_max_s8.h"

// Largest value over the reduced axes, from the first value.
static int32_t largest(const struct mw_reduce_max_s8 *layer, const int8_t *in)
{
    int32_t best = INT8_MIN;
    for (int32_t i = 0; i < layer->reduce_size[0]; ++i) {
        for (int32_t j = 0; j < layer->reduce_size[1]; ++j) {
            const int8_t *const line = in + i * layer->reduce_stride[0] + j * layer->reduce_stride[1];
            for (int32_t k = 0; k < layer->reduce_size[2]; ++k) {
                const int32_t value = line[k * layer->reduce_stride[2]] ^ layer->flip;
                best = value > best ? value : best;
            }
        }
    }
    return best;
}

void mw_reduce_max_s8(const struct mw_reduce_max_s8 *layer, const void *in, void *out)
{
    int8_t *to = out;
    for (int32_t i = 0; i < layer->keep_size[0]; ++i) {
        for (int32_t j = 0; j < layer->keep_size[1]; ++j) {
            const int8_t *const line = (const int8_t *)in + i * layer->keep_stride[0] + j * layer->keep_stride[1];
            for (int32_t k = 0; k < layer->keep_size[2]; ++k) {
                *to++ = (int8_t)(largest(layer, line + k * layer->keep_stride[2]) ^ layer->flip);
            }
        }
    }
}
