#include "mw/softmax_s8.h"

#include "mw/fixed_point.h"

// Exponentials are summed in Q12.19.
enum { SUM_INTEGER_BITS = 12 };

static void softmax_row(const struct mw_softmax_s8 *layer, const int8_t *in, int8_t *out, int32_t *exps)
{
    const int32_t depth = layer->depth;
    int32_t max = INT8_MIN;
    for (int32_t i = 0; i < depth; ++i) {
        max = in[i] > max ? in[i] : max;
    }
    int32_t sum = 0;
    for (int32_t i = 0; i < depth; ++i) {
        const int32_t below = max - in[i];
        exps[i] = below < layer->entries ? mw_exp_of_negative(mw_requantize(-below, layer->mult, (int)layer->shift)) : 0;
        // Exponentials are not negative; rounded, the largest one is 2^31.
        sum += (int32_t)(((uint32_t)exps[i] + (1u << (SUM_INTEGER_BITS - 1))) >> SUM_INTEGER_BITS);
    }
    // The maximum itself adds 1, so the sum is at least that. It is (1 + x) * 2^(SUM_INTEGER_BITS - zeros).
    const int zeros = mw_leading_zeros((uint32_t)sum);
    const int32_t scale = mw_one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
    const int exponent = SUM_INTEGER_BITS - zeros + 31 - 8;
    for (int32_t i = 0; i < depth; ++i) {
        // Beyond 31, every quotient rounds to 0.
        const int32_t value =
            exponent > 31 ? 0 : mw_rounding_divide_by_pot(mw_doubling_high_mul(scale, exps[i]), exponent);
        out[i] = (int8_t)mw_clamp(value - 128, INT8_MIN, INT8_MAX);
    }
}

void mw_softmax_s8(const struct mw_softmax_s8 *layer, const int8_t *in, int8_t *out, void *scratch)
{
    for (int32_t row = 0; row < layer->rows; ++row) {
        softmax_row(layer, in, out, scratch);
        in += layer->depth;
        out += layer->depth;
    }
}
