#include "mw/log_softmax_s8.h"

#include "mw/fixed_point.h"

// Exponentials are summed in Q12.19.
enum { SUM_INTEGER_BITS = 12 };

static int32_t half_sum(int32_t a, int32_t b)
{
    const int64_t sum = (int64_t)a + b;
    return (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
}

// log(x) in Q5.26 for x >= 1 in Q12.19. x is r * 2^power with r around 2^(-1/4), and a rational function of r has its
// logarithm. Powers are in Q6.25.
static int32_t log_of(int32_t x)
{
    const int32_t log_2 = 1488522236;
    const int32_t fourth_root_half = 1805811301; // 2^(-1/4)
    const int32_t sqrt_half = 1518500250;
    const int32_t quarter = (int32_t)1 << 23; // in Q6.25
    const int32_t one = (int32_t)1 << 25;
    const int32_t alpha_n = 117049297;  // 11/240 * 2^(1/4)
    const int32_t alpha_d = 127690142;  // 1/20 * 2^(1/4)
    const int32_t alpha_i = 1057819769; // 2 / 2^(1/4) - 2^(1/4)
    const int32_t alpha_f = 638450708;  // 1/4 * 2^(1/4)

    // Once as it is and once times the root of 1/2: the smaller r belongs to the larger power.
    const int zeros_a = mw_leading_zeros((uint32_t)x);
    const int32_t shifted = mw_doubling_high_mul(mw_saturating_shift_left(x, zeros_a - 1), sqrt_half);
    const int32_t r_a = mw_saturating_shift_left(shifted, 1);
    const int32_t power_a = (SUM_INTEGER_BITS - zeros_a) * one + quarter;
    const int zeros_b = mw_leading_zeros((uint32_t)mw_doubling_high_mul(x, sqrt_half)) - 1;
    const int32_t r_b = mw_saturating_shift_left(x, zeros_b);
    const int32_t power_b = (SUM_INTEGER_BITS - zeros_b) * one - quarter;
    const int32_t r = r_a < r_b ? r_a : r_b;
    const int32_t power = power_a > power_b ? power_a : power_b;

    const int32_t p = half_sum(r, fourth_root_half);
    const int32_t q = (r - fourth_root_half) * 2;
    const int32_t q2 = mw_doubling_high_mul(q, q);
    const int32_t numerator =
        mw_doubling_high_mul(q, r) + mw_doubling_high_mul(mw_doubling_high_mul(q, q2), alpha_n);
    const int32_t denominator = mw_doubling_high_mul(p, alpha_i + q + mw_doubling_high_mul(alpha_d, q2)) +
                                mw_doubling_high_mul(alpha_f, q);
    const int32_t rest =
        mw_doubling_high_mul(mw_rounding_divide_by_pot(numerator, 6), mw_one_over_one_plus(denominator));
    return mw_saturating_shift_left(mw_doubling_high_mul(power, log_2) + rest, 1);
}

static int32_t difference(const struct mw_log_softmax_s8 *layer, int32_t below)
{
    return mw_requantize(-below, layer->mult, (int)layer->shift);
}

static void log_softmax_row(const struct mw_log_softmax_s8 *layer, const int8_t *in, int8_t *out)
{
    int32_t max = INT8_MIN;
    for (int32_t i = 0; i < layer->depth; ++i) {
        max = in[i] > max ? in[i] : max;
    }
    int32_t sum = 0;
    for (int32_t i = 0; i < layer->depth; ++i) {
        const int32_t below = max - in[i];
        if (below < layer->entries) {
            const uint32_t exponential = (uint32_t)mw_exp_of_negative(difference(layer, below));
            sum += (int32_t)((exponential + (1u << (SUM_INTEGER_BITS - 1))) >> SUM_INTEGER_BITS);
        }
    }
    const int32_t log_sum = log_of(sum);
    // Further below the maximum, the difference to log_sum leaves Q5.26.
    const int32_t least = mw_requantize(INT32_MIN + log_sum, layer->back_mult, (int)layer->back_shift);
    const int32_t limit = -least < layer->entries ? -least : layer->entries;
    for (int32_t i = 0; i < layer->depth; ++i) {
        const int32_t below = max - in[i];
        int32_t value = INT8_MIN;
        if (below < limit) {
            value = mw_rounding_divide_by_pot(difference(layer, below) - log_sum, 22) + 127;
        }
        out[i] = (int8_t)mw_clamp(value, INT8_MIN, INT8_MAX);
    }
}

void mw_log_softmax_s8(const struct mw_log_softmax_s8 *layer, const int8_t *in, int8_t *out)
{
    for (int32_t row = 0; row < layer->rows; ++row) {
        log_softmax_row(layer, in, out);
        in += layer->depth;
        out += layer->depth;
    }
}
