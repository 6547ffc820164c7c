#include "mw/logistic_f32.h"

#include "mw/exp_f32.h"

// Where a term is below the last place of the other, it is left out, as the reference does.
static float sigmoid(float x)
{
    if (x > 16.619047f) {
        return 1.0f;
    }
    return x < -9.0f ? mw_exp_f32(x) : 1.0f / (1.0f + mw_exp_f32(-x));
}

void mw_logistic_f32(const struct mw_logistic_f32 *layer, const float *in, float *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = sigmoid(in[i]);
    }
}
