#include "mw/leaky_relu_f32.h"

void mw_leaky_relu_f32(const struct mw_leaky_relu_f32 *layer, const float *in, float *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = in[i] > 0.0f ? in[i] : in[i] * layer->alpha;
    }
}
