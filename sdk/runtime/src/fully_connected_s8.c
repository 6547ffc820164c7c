#include "mw/fully_connected_s8.h"

#include "mw/requantize.h"

void mw_fully_connected_s8(const struct mw_fully_connected_s8 *layer, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const int32_t in_zp = layer->in_zp;

    for (int32_t b = 0; b < layer->batches; ++b) {
        const int8_t *weights = layer->weights;
        for (int32_t o = 0; o < layer->out_len; ++o) {
            int32_t acc = layer->bias ? layer->bias[o] : 0;
            for (int32_t i = 0; i < layer->in_len; ++i) {
                acc += (in[i] - in_zp) * weights[i];
            }
            const int32_t c = layer->per_channel ? o : 0;
            *out++ = mw_requantize_s8(acc, layer->mult[c], layer->shift[c], layer->out_zp, layer->act_min,
                                      layer->act_max);
            weights += layer->in_len;
        }
        in += layer->in_len;
    }
}
