#include "mw/cast.h"

#include <string.h>

#include "mw/requantize.h"

enum { BOOL, INT8, UINT8, INT16, INT32, FLOAT32 };

// Elements of more than a byte are copied: the output may lie over an input of another type, and compilers take such
// accesses for independent of each other.

static float load_float(const uint8_t *in, int32_t i)
{
    float x;
    memcpy(&x, in + 4 * i, sizeof x);
    return x;
}

static int32_t load(const uint8_t *in, int32_t type, int32_t i)
{
    int16_t half;
    int32_t word;
    switch (type) {
    case BOOL:
        return in[i] != 0;
    case INT8:
        return (int8_t)in[i];
    case UINT8:
        return in[i];
    case INT16:
        memcpy(&half, in + 2 * i, sizeof half);
        return half;
    default:
        memcpy(&word, in + 4 * i, sizeof word);
        return word;
    }
}

static void store(uint8_t *out, int32_t type, int32_t i, int32_t value)
{
    const int16_t half = (int16_t)mw_clamp(value, INT16_MIN, INT16_MAX);
    const float real = (float)value;
    switch (type) {
    case BOOL:
        out[i] = value != 0;
        break;
    case INT8:
        out[i] = (uint8_t)mw_clamp(value, INT8_MIN, INT8_MAX);
        break;
    case UINT8:
        out[i] = (uint8_t)mw_clamp(value, 0, UINT8_MAX);
        break;
    case INT16:
        memcpy(out + 2 * i, &half, sizeof half);
        break;
    case FLOAT32:
        memcpy(out + 4 * i, &real, sizeof real);
        break;
    default:
        memcpy(out + 4 * i, &value, sizeof value);
    }
}

// Towards zero, saturated; what is no number becomes 0.
static int32_t whole(float x)
{
    if (x >= 2147483648.0f) {
        return INT32_MAX;
    }
    if (x < -2147483648.0f) {
        return INT32_MIN;
    }
    return x == x ? (int32_t)x : 0;
}

void mw_cast(const struct mw_cast *layer, const void *in, void *out)
{
    for (int32_t i = 0; i < layer->elements; ++i) {
        if (layer->from != FLOAT32) {
            store(out, layer->to, i, load(in, layer->from, i));
            continue;
        }
        const float x = load_float(in, i);
        if (layer->to == FLOAT32) {
            memcpy((uint8_t *)out + 4 * i, &x, sizeof x);
        } else {
            store(out, layer->to, i, layer->to == BOOL ? x != 0.0f : whole(x));
        }
    }
}
