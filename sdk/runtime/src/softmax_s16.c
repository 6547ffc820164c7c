#include "mw/softmax_s16.h"

#include "mw/leading_zeros.h"
#include "mw/requantize.h"

// The table at a place of int16, of which its 513 entries are the multiples of 128.
static int32_t look_up(const int16_t *table, int32_t place)
{
    place = mw_clamp(place, INT16_MIN, INT16_MAX) - INT16_MIN;
    const int32_t low = table[place >> 7];
    const int32_t high = table[(place >> 7) + 1];
    return low + (((high - low) * (place & 127) + 64) >> 7);
}

static void softmax_row(const struct mw_softmax_s16 *layer, const int16_t *in, int16_t *out)
{
    const int32_t depth = layer->depth;
    int32_t max = INT16_MIN;
    for (int32_t i = 0; i < depth; ++i) {
        max = in[i] > max ? in[i] : max;
    }
    int32_t sum = 0;
    for (int32_t i = 0; i < depth; ++i) {
        const int32_t below = mw_requantize(in[i] - max, layer->mult, (int)layer->shift);
        out[i] = (int16_t)look_up(layer->exps, below + INT16_MAX);
        sum += out[i];
    }
    // The sum is (1 + x) * 2^(31 - zeros); x goes to the table in units of 2^-16.
    const int zeros = mw_leading_zeros((uint32_t)sum);
    const int32_t x = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14) - (1 << 16);
    const int32_t reciprocal = look_up(layer->reciprocals, x + INT16_MIN);
    const int exponent = 31 - zeros;
    for (int32_t i = 0; i < depth; ++i) {
        const int32_t y = (out[i] * reciprocal + ((int32_t)1 << (exponent - 1))) >> exponent;
        out[i] = (int16_t)mw_clamp(y, 0, INT16_MAX);
    }
}

void mw_softmax_s16(const struct mw_softmax_s16 *layer, const int16_t *in, int16_t *out)
{
    for (int32_t row = 0; row < layer->rows; ++row) {
        softmax_row(layer, in, out);
        in += layer->depth;
        out += layer->depth;
    }
}
