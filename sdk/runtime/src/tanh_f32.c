#include "mw/tanh_f32.h"

#include "mw/exp_f32.h"

// (exp(2x) - 1) / (exp(2x) + 1); near 0 without the rounding of exp(2x), beyond 9.1 it is 1.
static float tanh_of(float x)
{
    if (!(x > -9.1f && x < 9.1f)) {
        return x < 0.0f ? -1.0f : x > 0.0f ? 1.0f : x; // NaN
    }
    int32_t exponent;
    const float power_minus_one = mw_exp_minus_one(mw_exp_reduced(2.0f * x, &exponent));
    const float power = mw_power_of_two(exponent);
    // exp(2x) - 1 = 2^exponent * (rest + 1) - 1
    const float minus_one = power * power_minus_one + (power - 1.0f);
    return minus_one / (minus_one + 2.0f);
}

void mw_tanh_f32(const struct mw_tanh_f32 *layer, const float *in, float *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        out[i] = tanh_of(in[i]);
    }
}
