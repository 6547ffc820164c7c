#include "mw/svdf_s8.h"

#include <stddef.h>
#include <string.h>

#include "mw/requantize.h"

static int16_t feature_of(const struct mw_svdf_s8 *layer, const int8_t *in, const int8_t *weights)
{
    int32_t acc = 0;
    for (int32_t i = 0; i < layer->in_len; ++i) {
        acc += (in[i] - layer->in_zp) * weights[i];
    }
    const int32_t feature = mw_requantize(acc, layer->feature_mult, layer->feature_shift);
    return (int16_t)mw_clamp(feature, INT16_MIN, INT16_MAX);
}

static uint32_t over_time(const struct mw_svdf_s8 *layer, const int16_t *state, const int16_t *weights)
{
    uint32_t acc = 0;
    for (int32_t m = 0; m < layer->memory; ++m) {
        acc += (uint32_t)weights[m] * (uint32_t)state[m];
    }
    return acc;
}

void mw_svdf_s8(const struct mw_svdf_s8 *layer, const int8_t *in, int16_t *state, int8_t *out)
{
    const int32_t memory = layer->memory;
    for (int32_t b = 0; b < layer->batches; ++b, in += layer->in_len) {
        const int8_t *feature_weights = layer->feature_weights;
        const int16_t *time_weights = layer->time_weights;
        for (int32_t u = 0; u < layer->units; ++u) {
            uint32_t acc = (uint32_t)layer->bias[u];
            for (int32_t r = 0; r < layer->rank; ++r) {
                memmove(state, state + 1, (size_t)(memory - 1) * sizeof *state);
                state[memory - 1] = feature_of(layer, in, feature_weights);
                acc += over_time(layer, state, time_weights);
                feature_weights += layer->in_len;
                time_weights += memory;
                state += memory;
            }
            *out++ = mw_requantize_s8((int32_t)acc, layer->time_mult, layer->time_shift, layer->out_zp, INT8_MIN, INT8_MAX);
        }
    }
}
