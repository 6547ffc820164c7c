#include "mw/softmax_s8.h"

#include <limits.h>

#include "mw/requantize.h"

// Exponentials are summed in Q12.19.
enum { SUM_INTEGER_BITS = 12 };

static int32_t saturating_shift_left(int32_t x, int bits)
{
    const int32_t limit = (int32_t)(((uint32_t)1 << (31 - bits)) - 1);
    if (x > limit) {
        return INT32_MAX;
    }
    if (x < -limit) {
        return INT32_MIN;
    }
    return (int32_t)((uint32_t)x << bits);
}

// 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton-Raphson steps on half the denominator, in Q2.29, from the
// estimate 48/17 - 32/17 * d that is best for d in [1/2, 1]. The rounding of each step is TensorFlow Lite's.
static int32_t one_over_one_plus(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = 1515870810 + mw_doubling_high_mul(half_denominator, -1010580540);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = ((int32_t)1 << 29) - mw_doubling_high_mul(half_denominator, y);
        y += saturating_shift_left(mw_doubling_high_mul(y, error), 2);
    }
    return saturating_shift_left(y, 1);
}

// Of x > 0.
static int leading_zeros(uint32_t x)
{
#if defined(__GNUC__) && UINT_MAX == 0xffffffffu
    return __builtin_clz(x);
#else
    int zeros = 0;
    for (; (x & 0x80000000u) == 0; x <<= 1) {
        ++zeros;
    }
    return zeros;
#endif
}

static void softmax_row(const int32_t *exps, int32_t entries, const int8_t *in, int32_t depth, int8_t *out)
{
    const int8_t *const end = in + depth;
    int32_t max = INT8_MIN;
    for (const int8_t *p = in; p != end; ++p) {
        max = *p > max ? *p : max;
    }
    int32_t sum = 0;
    for (const int8_t *p = in; p != end; ++p) {
        const int32_t below = max - *p;
        if (below < entries) {
            // Exponentials are not negative; rounded, the largest one is 2^31.
            sum += (int32_t)(((uint32_t)exps[below] + (1u << (SUM_INTEGER_BITS - 1))) >> SUM_INTEGER_BITS);
        }
    }
    // The maximum itself adds 1, so the sum is at least that. It is (1 + x) * 2^(SUM_INTEGER_BITS - zeros).
    const int zeros = leading_zeros((uint32_t)sum);
    const int32_t scale = one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
    const int exponent = SUM_INTEGER_BITS - zeros + 31 - 8;
    if (exponent > 31) {
        // Every quotient rounds to 0.
        entries = 0;
    }
    for (; in != end; ++in) {
        const int32_t below = max - *in;
        int32_t value = 0;
        if (below < entries) {
            value = mw_rounding_divide_by_pot(mw_doubling_high_mul(scale, exps[below]), exponent);
        }
        *out++ = (int8_t)mw_clamp(value - 128, INT8_MIN, INT8_MAX);
    }
}

void mw_softmax_s8(const struct mw_softmax_s8 *layer, const int8_t *in, int8_t *out)
{
    for (int32_t row = 0; row < layer->rows; ++row) {
        softmax_row(layer->exps, layer->entries, in, layer->depth, out);
        in += layer->depth;
        out += layer->depth;
    }
}
