#include "mw/softmax_f32.h"

#include <float.h>

#include "mw/exp_f32.h"

static void softmax_row(const struct mw_softmax_f32 *layer, const float *in, float *out)
{
    float max = -FLT_MAX;
    for (int32_t i = 0; i < layer->depth; ++i) {
        max = max < in[i] ? in[i] : max;
    }
    float sum = 0.0f;
    for (int32_t i = 0; i < layer->depth; ++i) {
        out[i] = mw_exp_f32((in[i] - max) * layer->beta);
        sum += out[i];
    }
    for (int32_t i = 0; i < layer->depth; ++i) {
        out[i] /= sum;
    }
}

void mw_softmax_f32(const struct mw_softmax_f32 *layer, const float *in, float *out)
{
    for (int32_t row = 0; row < layer->rows; ++row) {
        softmax_row(layer, in, out);
        in += layer->depth;
        out += layer->depth;
    }
}
