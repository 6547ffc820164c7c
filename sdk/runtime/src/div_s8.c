#include "mw/div_s8.h"

#include "mw/fixed_point.h"
#include "mw/pairs.h"

// a / b in the output's steps, b > 0.
static int32_t quotient(const struct mw_div_s8 *layer, int32_t a, int32_t b)
{
    // b is (1 + x) * 2^(31 - zeros).
    const int zeros = mw_leading_zeros((uint32_t)b);
    const int32_t reciprocal = mw_one_over_one_plus((int32_t)(((uint32_t)b << zeros) - 0x80000000u));
    const uint32_t magnitude = (uint32_t)(a < 0 ? ~a : a);
    const int headroom = magnitude == 0 ? 31 : mw_leading_zeros(magnitude) - 1;
    const int32_t unscaled = mw_doubling_high_mul((int32_t)((uint32_t)a << headroom), reciprocal);
    const int32_t scaled = mw_doubling_high_mul(unscaled, layer->mult);
    const int right = 31 - zeros + headroom - (int)layer->shift;
    if (right > 31) {
        return scaled < 0 ? -1 : 1;
    }
    return mw_rounding_divide_by_pot(scaled, right);
}

static int8_t divide(const void *parameters, int32_t in1, int32_t in2)
{
    const struct mw_div_s8 *const layer = parameters;
    const int32_t a = in1 - layer->in1_zp;
    const int32_t b = in2 - layer->in2_zp;
    int32_t result = 0;
    if (b != 0) {
        result = b < 0 ? quotient(layer, -a, -b) : quotient(layer, a, b);
    } else if (a != 0) {
        result = a < 0 ? INT32_MIN : INT32_MAX;
    }
    // Far outside, the zero point does not matter.
    return (int8_t)mw_clamp(mw_clamp(result, -512, 512) + layer->out_zp, layer->act_min, layer->act_max);
}

void mw_div_s8(const struct mw_div_s8 *layer, const int8_t *in1, const int8_t *in2, int8_t *out)
{
    mw_for_pairs(layer->extents, layer->strides1, layer->strides2, in1, in2, out, divide, layer);
}
