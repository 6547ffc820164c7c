#include "mw/relu_f32.h"

static float relu(float x, float max)
{
    if (max > 0.0f && x > max) {
        return max;
    }
    return x < 0.0f ? 0.0f : x;
}

void mw_relu_f32(const struct mw_relu_f32 *layer, const float *in, float *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = relu(in[i], layer->act_max);
    }
}
